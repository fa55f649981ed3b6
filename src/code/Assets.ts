/** Files that are sent beside the code, at the same path relative to the entry as on this machine. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { basename, join, relative, resolve, sep } from "node:path"
import type { CodeFile } from "./CodePack.ts"

/** An asset, and its path on this machine. */
export interface Asset {
  readonly path: string
  readonly file: CodeFile
}

/** The files that a list of files and folders names, from the folder `root`. Throws if one does not exist. */
export const of = (root: string, names: ReadonlyArray<string>): ReadonlyArray<Asset> =>
  names.flatMap((name) => {
    const path = resolve(root, name)
    if (!statSync(path).isDirectory()) return [assetOf(root, path)]
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => assetOf(root, join(entry.parentPath, entry.name)))
  })

const assetOf = (root: string, path: string): Asset => {
  const name = relative(root, path)
  // A file from outside the root is placed beside the entry, because nothing is written outside of the root.
  const inside = name.startsWith("..") ? basename(path) : name.split(sep).join("/")
  return { path, file: { name: inside, kind: "file", bytes: readFileSync(path) } }
}
