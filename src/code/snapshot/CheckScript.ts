/**
 * The program that loads the file of a snapshot in an ordinary Node, and writes down what must not be in a snapshot.
 *
 * A process of its own: it replaces properties of `process`, and follows handles, and neither could be in a snapshot.
 */
import { snapshotKey } from "../../process/SnapshotStart.ts"
import { checkKey } from "./SnapshotScript.ts"

/** A position in the file of the snapshot. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A use of the process while the program loads, with the frames of the file, innermost first. */
export interface Finding {
  readonly does: string
  readonly frames: ReadonlyArray<Position>
}

/** The findings of the check. */
export interface Findings {
  readonly findings: ReadonlyArray<Finding>
  /** Whether the program has called `runMain`. */
  readonly runs: boolean
}

/** Kinds of handles, as `async_hooks` names them, that no snapshot can hold. Requests end by themselves. */
const handles =
  "FILEHANDLE FSEVENTWRAP HTTPINCOMINGMESSAGE MESSAGEPORT PIPESERVERWRAP PIPEWRAP PROCESSWRAP SIGNALWRAP STATWATCHER TCPSERVERWRAP TCPWRAP TLSWRAP TTYWRAP Timeout UDPWRAP WORKER"

/** Functions of `node:os` that tell about the computer. */
const computer = "availableParallelism cpus freemem homedir hostname networkInterfaces tmpdir totalmem userInfo"

/** Milliseconds that the program has to finish what it began while it loaded. A server would never end. */
const patience = 2_000

/** The text of the program. Its arguments are the file of the snapshot, and the file to write the findings to. */
export const checkScript = `
const [, , file, into] = process.argv
const { getCallSites } = require("node:util")
const crypto = require("node:crypto"), fs = require("node:fs"), os = require("node:os"), hooks = require("node:async_hooks")
process.argv = [process.argv[0], file]
delete globalThis.WebAssembly
const found = [], open = new Map(), origins = new Map()
let loading = true
const sites = () => getCallSites(60, { sourceMap: false }).slice(2)
const ours = (frames) => frames.filter(({ scriptName }) => scriptName === file)
  .map(({ lineNumber, columnNumber, column }) => ({ line: lineNumber, column: columnNumber ?? column }))
const note = (does, frames) => {
  if (loading && frames.length > 0 && found.length < 50) found.push({ does, frames })
}
// A read by Node itself, such as of NODE_DEBUG, is no read of the program.
const read = (name, frames = sites().slice(1)) => {
  if (frames[0]?.scriptName === file) note("reads " + name, ours(frames))
}
const forget = (name) => {
  const at = found.findLastIndex(({ does }) => does === "reads " + name)
  if (at >= 0) found.splice(at, 1)
}
globalThis[Symbol.for("${checkKey}")] = {
  // Without the frames of the text around the program.
  read: (name) => note("reads " + name, ours(sites()).slice(2)),
  uses: (id) => note("uses " + id, ours(sites()).slice(2)),
  forget,
  package: (id) => note("imports the package " + id + ", which is not in the bundle", ours(sites()).slice(1))
}
const env = process.env
Object.defineProperty(process, "env", { configurable: true, value: new Proxy(env, {
  get: (target, name) => { if (typeof name === "string") read("process.env." + name, sites()); return target[name] },
  has: (target, name) => { read("process.env." + String(name), sites()); return name in target },
  ownKeys: (target) => { read("process.env", sites()); return Reflect.ownKeys(target) }
}) })
for (const name of ["argv", "execArgv", "pid", "ppid", "stdin", "stdout", "stderr"]) {
  const before = Object.getOwnPropertyDescriptor(process, name)
  const value = () => before.get === undefined ? before.value : before.get.call(process)
  Object.defineProperty(process, name, { configurable: true, get: () => { read("process." + name, sites()); return value() } })
}
const watch = (object, name, does) => {
  const before = object[name]
  if (typeof before === "function") object[name] = function (...args) { does(sites()); return Reflect.apply(before, this, args) }
}
// \`path.resolve\` reads the directory too
watch(process, "cwd", (frames) => {
  const at = frames.findIndex(({ scriptName }) => scriptName !== "node:path")
  read("the current directory", frames.slice(at))
})
for (const name of "${computer}".split(" ")) watch(os, name, (frames) => read("os." + name + "()", frames))
const draws = (frames) => {
  if (frames[0]?.scriptName === file) note("draws a random value, which all runners would share,", ours(frames))
}
for (const name of ["randomUUID", "randomBytes", "randomInt", "randomFillSync", "getRandomValues"]) watch(crypto, name, draws)
for (const name of ["randomUUID", "getRandomValues"]) watch(Object.getPrototypeOf(globalThis.crypto), name, draws)
const opened = fs.openSync, closed = fs.closeSync
fs.openSync = (...args) => {
  const fd = opened(...args)
  open.set("fd" + fd, { kind: "file", frames: ours(sites()) })
  return fd
}
fs.closeSync = (fd) => { open.delete("fd" + fd); return closed(fd) }
const kinds = new Set("${handles}".split(" "))
const hook = hooks.createHook({
  init: (id, kind, trigger) => {
    if (!loading) return
    const here = ours(sites())
    // A handle that Node makes later belongs to the code that asked for it.
    const frames = here.length > 0 ? here : origins.get(trigger) ?? origins.get(hooks.executionAsyncId()) ?? []
    origins.set(id, frames)
    if (kinds.has(kind)) open.set(id, { kind, frames })
  },
  destroy: (id) => open.delete(id)
}).enable()
const end = (code) => {
  loading = false
  hook.disable()
  for (const { kind, frames } of open.values()) if (frames.length > 0) found.push({ does: "leaves open a handle (" + kind + ")", frames })
  const snapshot = globalThis[Symbol.for("${snapshotKey}")]
  fs.writeFileSync(into, JSON.stringify({ findings: found, runs: (snapshot?.programs.length ?? 0) > 0 }))
  process.reallyExit(code)
}
const thrown = (error) => {
  const text = String(error?.stack ?? error)
  const frames = [...text.matchAll(/:(\\d+):(\\d+)\\)?$/gm)].filter(({ input, index }) => input.slice(0, index).endsWith(file))
  if (found.every(({ does }) => !does.startsWith("imports"))) {
    note("throws " + text.split("\\n")[0], frames.length > 0 ? frames.map(([, line, column]) => ({ line: +line, column: +column })) : [{ line: 1, column: 1 }])
  }
  end(0)
}
process.on("uncaughtException", thrown)
process.on("exit", (code) => end(code))
setTimeout(() => end(0), ${patience}).unref()
const { Module } = require("node:module")
const module_ = new Module(file)
module_.filename = file
module_._compile(fs.readFileSync(file, "utf8").replace(/require\\("node:v8"\\)\\.startupSnapshot/, "({ setDeserializeMainFunction() {} })"), file)
`
