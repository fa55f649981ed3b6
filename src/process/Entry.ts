/** The file that runners of this app run: where `Flame.main` stands, or what the `entry` option names. */
import { builtin } from "../function/Builtin.ts"

/**
 * The directory in which this process was started; undefined where it is gone by now.
 *
 * Node has resolved the values of `--import` and `--require` from there, whatever the directory is later.
 */
export const startDirectory: string | undefined = currentDirectory()

let registered: string | undefined

/** Remembers the entry of this program. Only the first one is kept, because a program has one main. */
export const register = (entry: string): void => {
  registered ??= entry
}

/** The entry that was registered, a path or a `file:` URL. */
export const current = (): string | undefined => registered

/** The file that contains the call of the function that calls this. */
export const callerFile = (): string | undefined => {
  const name = builtin("node:util").getCallSites(3, { sourceMap: false })[2]?.scriptName
  // code that was typed in or piped is in no file that a runner could run
  return name === undefined || name === "" || name.startsWith("[") ? undefined : name
}

/**
 * The absolute path of an entry: a `file:` URL, or a path from the current directory.
 *
 * Undefined where the entry is a URL of another kind, which no runner can run.
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
