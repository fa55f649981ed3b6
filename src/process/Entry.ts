/** The file that runners of this app run, where `Flame.main` has said so. */
import { builtin } from "../function/Builtin.ts"

let registered: string | undefined

/** Remembers the entry; the first one stays, because a program has one main. */
export const register = (entry: string): void => {
  registered ??= entry
}

/** The entry that was registered, a path or a `file:` URL. */
export const current = (): string | undefined => registered

/** The file of an entry that is given as a path, as a `file:` URL, or as such a URL's text. */
export const pathOf = (entry: string | URL): string => {
  const text = String(entry)
  return text.startsWith("file:") ? builtin("node:url").fileURLToPath(text) : text
}

/** The file in which the caller of the function that calls this stands. */
export const callerFile = (): string | undefined => {
  const name = builtin("node:util").getCallSites(3, { sourceMap: false })[2]?.scriptName
  // code that was typed in, or piped, is in no file that a runner could run
  return name === undefined || name === "" || name.startsWith("[") ? undefined : name
}
