/**
 * A hook for `--expose-internals --import`: when the program ends, writes the code that V8 has compiled of each module in the
 * program's folder, as `<module>.code`.
 *
 * Node asks V8 for the code when a module is loaded. No function has run then, and V8 has compiled almost none. V8 gives no
 * code of a module that has run. So the hook makes each module once more, with the same source, name and symbol: V8 then
 * answers from its own cache, which holds the functions compiled since.
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
      // The cache of this module keeps the code that Node has written.
      console.error(`${file} has no code that has run in its cache:`, error)
    }
  }
})
