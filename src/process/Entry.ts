/** The file that runners of this app run: the file that calls `Flame.main`, or the file of the `entry` option. */
import { builtin } from "../function/Builtin.ts"
import { onStart } from "./SnapshotStart.ts"

/**
 * The directory in which this process was started. Undefined if the directory does not exist any more.
 *
 * Node has resolved the values of `--import` and `--require` from this directory, whatever the current directory is
 * later.
 */
export let startDirectory: string | undefined

onStart(() => {
  startDirectory = currentDirectory()
})

let registered: string | undefined

/** Remembers the entry of this program. Only the first one is kept, because a program has one main. */
export const register = (entry: string): void => {
  registered ??= entry
}

/** The entry that was registered, a path or a `file:` URL. */
export const current = (): string | undefined => registered

interface Frame {
  readonly functionName: string
  readonly scriptName: string
}

/**
 * The file of the program that calls `Flame.main`, maybe through a `start()` that several programs share.
 *
 * The outermost frame is the module that is being loaded: the entry itself, or one that the entry imports. A call after an
 * `await` has no such frame, and is taken for one of the program that Node was started with.
 */
export const callerFile = (): string | undefined =>
  fileOf(builtin("node:util").getCallSites(100, { sourceMap: false }).slice(2), process.argv[1])

/** The file that a stack leads to, innermost frame first. `program` is the file that Node was started with. */
export const fileOf = (frames: ReadonlyArray<Frame>, program: string | undefined): string | undefined => {
  const own = frames.filter(({ scriptName }) => isFile(scriptName) && !/[\\/]node_modules[\\/]/.test(scriptName))
  const outermost = own.at(-1)
  if (outermost === undefined || outermost.functionName === "") return outermost?.scriptName
  return program ?? outermost.scriptName
}

// Code from `--eval` or stdin, and code of Node itself, is in no file that a runner could run.
const isFile = (name: string): boolean => name !== "" && !name.startsWith("[") && !name.startsWith("node:")

/**
 * The absolute path of an entry: a `file:` URL, or a path from the current directory.
 *
 * Undefined if the entry is a URL of another kind, which no runner can run.
 */
export const pathOf = (entry: string | URL): string | undefined => {
  if (typeof entry === "string" && !/^[a-z][a-z0-9+.-]*:/i.test(entry)) return builtin("node:path").resolve(entry)
  try {
    return builtin("node:url").fileURLToPath(entry)
  } catch {
    return undefined
  }
}

function currentDirectory(): string | undefined {
  try {
    return process.cwd()
  } catch {
    return undefined
  }
}

/** Extensions of the files that a compiler makes of a file. */
const builds: Readonly<Record<string, ReadonlyArray<string>>> = {
  ".ts": [".js", ".mjs", ".cjs"],
  ".tsx": [".js", ".mjs"],
  ".mts": [".mjs", ".js"],
  ".cts": [".cjs", ".js"]
}

/**
 * The files to run for an entry that is written as `./runner.ts`, in order of preference.
 *
 * `new URL("./runner.ts", import.meta.url)` is not rewritten by a compiler, so in a build `runner.js` is at that place.
 */
export const candidates = (path: string): ReadonlyArray<string> => {
  const extension = /\.[cm]?tsx?$/.exec(path)?.[0] ?? ""
  const stem = path.slice(0, path.length - extension.length)
  return [path, ...(builds[extension] ?? []).map((built) => stem + built)]
}

/** The first of the candidates of an entry that exists. Undefined if none does. */
export const built = (path: string): string | undefined =>
  candidates(path).find((file) => builtin("node:fs").existsSync(file))
