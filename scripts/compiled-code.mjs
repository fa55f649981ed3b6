/**
 * Loaded ahead of a program (`--expose-internals --import`), writes what V8 has compiled of each module beside it by the
 * time the program ends, as `<module>.code`.
 *
 * Node itself asks V8 for that when a module is loaded, before any of its functions has run: V8 has compiled next to none
 * of them by then. Of a module that has run it gives no code any more, so each is made once more, which V8 answers from
 * what it has: the same source under the same name and symbol.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"

const { internalBinding } = createRequire(import.meta.url)("internal/test/binding")
const { ModuleWrap } = internalBinding("module_wrap")
const symbol = internalBinding("symbols").source_text_module_default_hdo
const folder = dirname(process.argv[1])

process.once("exit", () => {
  for (const name of readdirSync(folder).filter((file) => /\.m?js$/.test(file))) {
    const file = join(folder, name)
    try {
      const again = new ModuleWrap(pathToFileURL(file).href, undefined, readFileSync(file, "utf8"), 0, 0, symbol)
      writeFileSync(`${file}.code`, again.createCachedData())
    } catch (error) {
      // for this one there is what Node itself has written
      console.error(`${file} has no code that has run in its cache:`, error)
    }
  }
})
