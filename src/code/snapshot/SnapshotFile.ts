/**
 * The files of a snapshot beside its entry: `main.snapshot` is the memory of the program, `main.snapshot.json` says which Node
 * and which code it belongs to. A parent compares the two before it starts a runner.
 */
import { existsSync, readFileSync } from "node:fs"
import { builtin } from "../../function/Builtin.ts"

/** The name of the snapshot of an entry, or its path. */
export const nameOf = (entry: string): string => entry.replace(/\.\w+$/, "") + ".snapshot"

/** The name of the file that says what the snapshot belongs to. */
export const markOf = (entry: string): string => `${nameOf(entry)}.json`

interface Mark {
  readonly node: string
  readonly platform: string
  readonly arch: string
  /** SHA-256 of the entry. Its imports have their hashes in their names. */
  readonly entry: string
}

const markFor = (entry: Uint8Array): Mark => ({
  node: process.version,
  platform: process.platform,
  arch: process.arch,
  entry: builtin("node:crypto").createHash("sha256").update(entry).digest("hex")
})

/** The contents of that file for a snapshot that this Node has made. */
export const mark = (entry: Uint8Array): Uint8Array => Buffer.from(`${JSON.stringify(markFor(entry))}\n`)

/** The snapshot of an entry, or why runners cannot start from it. Undefined if the entry has none. */
export const find = (entry: string): { readonly path: string } | { readonly unfit: string } | undefined => {
  const path = nameOf(entry)
  const file = markOf(entry)
  if (!existsSync(file) || !existsSync(path)) return undefined
  const made = read(file)
  const now = markFor(readFileSync(entry))
  if (made === undefined) return { unfit: `${file} is damaged` }
  if (made.node !== now.node || made.platform !== now.platform || made.arch !== now.arch) {
    const [from, to] = [made, now].map(({ arch, node, platform }) => `Node ${node} for ${platform} ${arch}`)
    return { unfit: `it was made by ${from}, and this is ${to}` }
  }
  return made.entry === now.entry ? { path } : { unfit: "it was made of another build of the program" }
}

const read = (file: string): Mark | undefined => {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Mark
  } catch {
    return undefined
  }
}
