/** Tells the files of the user's program from those of packages. */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")

/**
 * The folder of this library, which is no folder of `node_modules` in a checkout of its repository. An app that was bundled
 * has no such folder.
 */
const library = ((folder: string | undefined): string => {
  const isThere = folder !== undefined && [".ts", ".js"].some((end) => existsSync(join(folder, `OwnFiles${end}`)))
  return escaped(isThere ? dirname(folder) : "/no library")
})(import.meta.dirname)

const packages = `[\\\\/]node_modules[\\\\/]|^${library}[\\\\/]`

/** Matches files of packages, and of this library. */
export const ofPackages: RegExp = new RegExp(packages)

/** Matches files of this library. */
export const ofLibrary: RegExp = new RegExp(`^${library}[\\\\/]`)

/** Matches files of the program. */
export const own: RegExp = new RegExp(`^(?!.*(?:[\\\\/]node_modules[\\\\/]))(?!${library}[\\\\/])`)
