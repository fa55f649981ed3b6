/** Files that are sent beside the code, at the same path relative to the entry as on this machine. */
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs"
import { isAbsolute, join, posix, relative, resolve, sep } from "node:path"
import { CodeTooLarge } from "../error/CodeFailure.ts"
import { type CodeFile, largest } from "./CodePack.ts"
import type { Program } from "./Program.ts"

/** Assets of a program. */
export interface Assets {
  /** Their names are paths from the folder of the entry, and begin with `../` outside of that folder. */
  readonly files: ReadonlyArray<CodeFile>
  /** Paths of the files, and of the folders that were listed: a folder changes where a file is added. */
  readonly inputs: ReadonlyArray<string>
}

/**
 * The files that a list of files and folders names, from the folder `root`. Follows symbolic links. Throws if a name does
 * not exist, and before a file is read if the files have more than `limit` bytes.
 */
export const of = (root: string, names: ReadonlyArray<string>, limit = Infinity): Assets => {
  const sizes = new Map<string, number>()
  const folders = new Set<string>()
  const visit = (path: string, above: ReadonlyArray<string>): boolean => {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat?.isFile() === true) sizes.set(path, stat.size)
    if (stat?.isDirectory() !== true) return stat?.isFile() === true
    const real = realpathSync(path)
    // A link to a folder above would be followed without end.
    if (above.includes(real)) return true
    folders.add(path)
    for (const name of readdirSync(path)) visit(join(path, name), [...above, real])
    return true
  }
  for (const name of names) {
    const path = resolve(root, name)
    if (!visit(path, [])) throw new Error(`the asset ${name} is no file or folder: ${path}`)
  }
  const found = [...sizes].map(([path, size]) => ({ path, name: nameOf(root, path), size }))
  const size = found.reduce((sum, each) => sum + each.size, 0)
  if (size > limit) throw new CodeTooLarge({ size, limit, largest: largest(found) })
  return {
    files: found.map(({ name, path }) => ({ name, kind: "file", bytes: readFileSync(path) })),
    inputs: [...folders, ...sizes.keys()]
  }
}

const nameOf = (root: string, path: string): string => {
  const name = relative(root, path)
  if (isAbsolute(name))
    throw new Error(`the asset ${path} is on another drive than the entry: move it beside the entry`)
  return name.split(sep).join("/")
}

/** The files of a program with its assets. Throws if an asset has the name of another file of the program. */
export const added = (files: ReadonlyArray<CodeFile>, assets: Assets): ReadonlyArray<CodeFile> => {
  const byName = new Map(files.map((file) => [file.name, file]))
  const others = assets.files.filter((asset) => {
    const same = byName.get(asset.name)
    if (same === undefined) return true
    // A module that is sent as it is may be listed as an asset too.
    if (Buffer.compare(same.bytes, asset.bytes) === 0) return false
    throw new Error(`the asset ${asset.name} has the name of a file that the code has: rename the asset`)
  })
  return [...files, ...others]
}

/**
 * The program below the folder that holds all of its files. `root` is the folder of the entry. A runner writes nothing
 * outside of its own folder, so an asset from outside of `root` keeps its path from the entry only if the entry moves down.
 */
export const below = (root: string, program: Program): Program => {
  const up = Math.max(0, ...program.files.map(({ name }) => name.split("/").lastIndexOf("..") + 1))
  if (up === 0) return program
  const folder = root.split(sep).slice(-up).join("/")
  return {
    ...program,
    index: { ...program.index, entry: posix.join(folder, program.index.entry) },
    files: program.files.map((file) => ({ ...file, name: posix.join(folder, file.name) }))
  }
}
