/**
 * A hook for `--expose-internals --import`. When the program ends, the hook writes the code that V8 has compiled of each
 * module in the program's folder, as `<module>.code` into another folder.
 *
 * Node takes the compiled code when it loads a module. At that time no function has run, so almost none is compiled. Later
 * V8 refuses to give the compiled code of a module that has run. So the hook makes each module once more, with the same
 * source, name and symbol. V8 then answers from its own cache, which holds the functions compiled since.
 */

/** Suffix of the file with the compiled code of a module. */
export const codeSuffix = ".code"

/** The hook. Its text runs in another process, so the function uses nothing from outside of it. */
const hook = (suffix: string, into: string): void => {
  const { readdirSync, readFileSync, writeFileSync } = process.getBuiltinModule("node:fs")
  const { dirname, join } = process.getBuiltinModule("node:path")
  const { pathToFileURL } = process.getBuiltinModule("node:url")
  const require = process.getBuiltinModule("node:module").createRequire(process.execPath)
  const { internalBinding } = require("internal/test/binding")
  const { ModuleWrap } = internalBinding("module_wrap")
  const symbol = internalBinding("symbols").source_text_module_default_hdo
  const folder = dirname(process.argv[1] ?? "")
  process.once("exit", () => {
    for (const name of readdirSync(folder)) {
      if (!/\.m?js$/.test(name)) continue
      const file = join(folder, name)
      try {
        const again = new ModuleWrap(pathToFileURL(file).href, undefined, readFileSync(file, "utf8"), 0, 0, symbol)
        writeFileSync(join(into, name + suffix), again.createCachedData())
      } catch (error) {
        // The cache of this module keeps the code that Node has written.
        process.stderr.write(`${file} has no code that has run in its cache: ${String(error)}\n`)
      }
    }
  })
}

/** The hook as the value of `--import`. `into` is a folder that exists. */
export const compiledCodeHook = (into: string): string =>
  `data:text/javascript,${encodeURIComponent(
    `(${hook.toString()})(${JSON.stringify(codeSuffix)},${JSON.stringify(into)})`
  )}`
