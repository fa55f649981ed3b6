/**
 * The text around the one file of a program that a snapshot is made of.
 *
 * Node runs this file to make the snapshot. Node allows `require` of its own modules there, and no `import()`. A runner
 * begins with the memory that the file has left, and runs the main function of the snapshot in place of a file.
 */
import { builtin } from "../../function/Builtin.ts"
import { taking } from "../../process/RoleVariables.ts"
import { snapshotKey } from "../../process/SnapshotStart.ts"

/** The names of the text. `import.meta` of a module is rewritten to its properties. */
export const meta = "__effectFlameMeta"

/** Name of the symbol of the global by which `SnapshotCheck` hears what the program does while it loads. */
export const checkKey = "effect-flame/snapshot check"

/** Modules of Node whose memory Node cannot store. Found by trying all of them with Node 24. */
const unstorable = ["http", "https", "http2", "repl", "tls"]

/** Their exports by name. `node:sqlite` warns where it loads, so its exports are written down. */
const lateExports = (): Readonly<Record<string, ReadonlyArray<string>>> => ({
  ...Object.fromEntries(unstorable.map((name) => [name, Object.keys(builtin(`node:${name}` as "node:http"))])),
  "node:sqlite": ["DatabaseSync", "StatementSync", "Session", "backup", "constants"]
})

/**
 * Before the program: `import.meta`, and a `require` that finds packages from the folder of the entry once a runner has
 * started. `createRequire(import.meta.url)` gives this `require`, because the folder may move after the build.
 *
 * A module that Node cannot store is loaded at its first use. Programs import such modules at their top, for a parent alone.
 */
export const banner = (): string => `var module = { exports: {} }, exports = module.exports
const ${meta} = (() => {
  const snapshot = { steps: [], programs: [], isStarted: false }
  Object.defineProperty(globalThis, Symbol.for("${snapshotKey}"), { value: snapshot, configurable: true })
  const path = require("node:path"), modules = require("node:module"), { pathToFileURL } = require("node:url")
  const ofNode = require, createRequire = modules.createRequire
  const making = path.join(__dirname, "entry")
  const check = globalThis[Symbol.for("${checkKey}")]
  const entry = () => snapshot.isStarted ? process.argv[1] : making
  const late = ${JSON.stringify(lateExports())}
  const lateOf = (id, names) => {
    const use = (name) => {
      if (!snapshot.isStarted) {
        check?.uses(id)
        if (check === undefined) throw new Error(id + " is used while the program loads")
      }
      return ofNode(id)[name]
    }
    return Object.defineProperties({}, Object.fromEntries(
      names.map((name) => [name, { enumerable: true, configurable: true, get: () => use(name) }])
    ))
  }
  const find = (id) => {
    const names = late[id] ?? late[id.replace(/^node:/, "")]
    if (names !== undefined && !snapshot.isStarted) return lateOf(id, names)
    if (modules.isBuiltin(id)) return ofNode(id)
    if (snapshot.isStarted) return createRequire(process.argv[1])(id)
    check?.package(id)
    throw new Error("the package " + id + " is not in the bundle")
  }
  require = find
  modules.createRequire = (from) => {
    if (snapshot.isStarted || String(from) !== pathToFileURL(making).href) return createRequire(from)
    check?.forget("import.meta.url")
    return Object.assign((id) => find(id), { resolve: (...args) => createRequire(entry()).resolve(...args) })
  }
  const read = (name) => { if (!snapshot.isStarted) check?.read(name) }
  return {
    snapshot,
    get url() { read("import.meta.url"); return pathToFileURL(entry()).href },
    get dirname() { read("import.meta.dirname"); return path.dirname(entry()) },
    get filename() { read("import.meta.filename"); return entry() }
  }
})()
`

/**
 * After the program: the main function.
 *
 * Without a runner's variables the process is a parent, which loads the entry as Node does without a snapshot. So an image
 * needs one command for both. The option of the snapshot is taken out of `execArgv`, which `fork` would repeat.
 */
export const footer = `
require("node:v8").startupSnapshot.setDeserializeMainFunction(function start() {
  const { snapshot } = ${meta}
  const options = process.execArgv
  const at = options.findIndex((option) => option.startsWith("--snapshot-blob"))
  if (at >= 0) options.splice(at, options[at].includes("=") ? 1 : 2)
  if (process.argv[1] === undefined) {
    process.stderr.write("effect-flame: name the entry after the options of Node: node --snapshot-blob main.snapshot main.mjs\\n")
    process.exit(1)
  }
  process.argv[1] = require("node:path").resolve(process.argv[1])
  snapshot.isStarted = true
  ${taking}
  if (t.ID === undefined) {
    delete globalThis[Symbol.for("${snapshotKey}")]
    delete globalThis[Symbol.for("effect-flame/role")]
    // In a turn of its own: no frame of this file is around the entry, as if Node had started it.
    setImmediate(require("node:module").createRequire(process.argv[1]), process.argv[1])
    return
  }
  for (const step of snapshot.steps) step()
  for (const program of snapshot.programs) program()
})
`
