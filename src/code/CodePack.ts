/**
 * The form in which code travels and is named by its hash: `u32 length | index as JSON | the files, one after the other`.
 *
 * `PreparedCode.ts` decides which files a pack has. The bootstrap of a runner reads packs too, so this module imports Node
 * alone.
 */

/** How Node loads a file of the code. `file` is not a module: an asset, or a source map. */
export type FileKind = "module" | "commonjs" | "json" | "wasm" | "file"

/** Suffix of the source map of a file: compressed, because most runners never read one. */
export const mapSuffix = ".map.zst"

/** A file of the code. */
export interface CodeFile {
  /** Its path below the root of the code, with `/`. */
  readonly name: string
  readonly kind: FileKind
  readonly bytes: Uint8Array
}

/** The list of contents of a pack. */
export interface CodeIndex {
  /** Name of the file that runs. */
  readonly entry: string
  /** Name, kind and size in bytes of each file, in the order of their bytes. */
  readonly files: ReadonlyArray<readonly [name: string, kind: FileKind, size: number]>
  /** Whether the files must lie on a disk: worker threads and assets are opened by their path. */
  readonly onDisk: boolean
  /** Imports that were left out because they work as installed files only, with the package and the reason. */
  readonly native: Readonly<Record<string, { readonly package: string; readonly detail: string }>>
}

const prefix = 4

/** The bytes of a pack. */
export const pack = (index: Omit<CodeIndex, "files">, files: ReadonlyArray<CodeFile>): Buffer => {
  const full: CodeIndex = { ...index, files: files.map(({ bytes, kind, name }) => [name, kind, bytes.length]) }
  const head = Buffer.from(JSON.stringify(full))
  const length = Buffer.alloc(prefix)
  length.writeUInt32BE(head.length, 0)
  return Buffer.concat([length, head, ...files.map(({ bytes }) => bytes)])
}

/** The index and the files of a pack. The bytes are views of it. */
export const unpack = (packed: Buffer): { readonly index: CodeIndex; readonly files: ReadonlyArray<CodeFile> } => {
  let at = prefix + packed.readUInt32BE(0)
  const index = JSON.parse(packed.toString("utf8", prefix, at)) as CodeIndex
  const files = index.files.map(([name, kind, size]) => ({ name, kind, bytes: packed.subarray(at, (at += size)) }))
  return { index, files }
}

/** The three largest of some files with their sizes, for people. */
export const largest = (files: ReadonlyArray<{ readonly name: string; readonly size: number }>): string =>
  files
    .toSorted((a, b) => b.size - a.size)
    .slice(0, 3)
    .map(({ name, size }) => `${name} (${kilobytes(size)})`)
    .join(", ")

/** A number of bytes for people: `512 kB`. */
export const kilobytes = (bytes: number): string => `${Math.round(bytes / 1e3)} kB`
