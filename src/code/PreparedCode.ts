/**
 * Makes the code that is sent to runners, once per process for each entry, and again when one of its files has changed.
 *
 * A plain program is sent as it is (`PlainProgram.ts`). Any other program is bundled (`Bundler.ts`). Assets are added
 * (`Assets.ts`), and `CodePack.ts` writes all files as one pack.
 */
import { createHash } from "node:crypto"
import { statSync } from "node:fs"
import { basename, dirname } from "node:path"
import { zstdCompress, zstdCompressSync, type ZstdOptions } from "node:zlib"
import * as Effect from "effect/Effect"
import { CodeTooLarge, CodeUnbundled } from "../error/CodeFailure.ts"
import type { CodeFailure } from "../error/CodeFailure.ts"
import * as Entry from "../process/Entry.ts"
import { type CodeFile, kilobytes, largest, mapSuffix, pack } from "./CodePack.ts"
import * as Assets from "./Assets.ts"
import { type CodeOptions, defaultMaxCode } from "./CodeOptions.ts"
import type { Program } from "./Program.ts"

/** Code that can be sent. */
export interface Code {
  /** SHA-256 of the pack, in hex. */
  readonly hash: string
  /** Size of the pack in bytes. */
  readonly size: number
  /** The pack, compressed by Zstandard. All runners read this one buffer. */
  readonly sent: Buffer
  /** Whether a runner writes the code to a directory: worker threads and assets are opened by their path. */
  readonly onDisk: boolean
  /** How the code was made, for people. */
  readonly made: string
  /** Milliseconds that it took to make. */
  readonly took: number
  /** Names of variables of the environment that the user's own files read. */
  readonly variables: ReadonlyArray<string>
}

/** The code for people: `3f2a9c81d0e4, 512 kB (148 kB compressed), bundled by rolldown in 210 ms`. */
export const describe = ({ hash, made, sent, size, took }: Code): string =>
  `${hash.slice(0, 12)}, ${kilobytes(size)} (${kilobytes(sent.length)} compressed), ${made} in ${Math.round(took)} ms`

/** Level 9 of Zstandard: a third of the bytes in a third of a second for 20 MB. */
const level = 9

interface Known {
  readonly code: Code
  readonly stamps: ReadonlyArray<string>
  readonly inputs: ReadonlyArray<string>
}

const known = new Map<string, Known>()
const making = new Map<string, Promise<Code>>()

/**
 * The code of an entry: the entry of the options, else the program that calls `Flame.main`. Pools that need it at the
 * same time share one bundle.
 */
export const prepare = (given: CodeOptions): Effect.Effect<Code, CodeFailure> => {
  const entry = given.entry ?? Entry.current() ?? process.argv[1]
  const options = entry === undefined ? given : { ...given, entry }
  return Effect.tryPromise({
    try: () =>
      codeOf(JSON.stringify([String(options.entry), options.external, options.assets, options.maxCode]), options),
    catch: (error) => asFailure(String(options.entry), error)
  })
}

const codeOf = async (key: string, options: CodeOptions, isLate = false): Promise<Code> => {
  const running = making.get(key)
  if (running !== undefined) {
    const code = await running
    // A file may have been edited after the running build read it. `makeKnown` does not keep such code, and a build that
    // begins now has the edit.
    return isLate || known.get(key)?.code === code ? code : codeOf(key, options, true)
  }
  const before = known.get(key)
  if (before !== undefined && sameStamps(before)) return before.code
  const made = makeKnown(key, options).finally(() => making.delete(key))
  making.set(key, made)
  return made
}

/** Makes code, and remembers it unless a file may have changed after it was read. */
const makeKnown = async (key: string, options: CodeOptions): Promise<Code> => {
  const began = Date.now()
  const { code, inputs } = await make(options)
  const stamps = inputs.map(stampOf)
  if (inputs.some((file) => changedAt(file) >= began - clockStep)) known.delete(key)
  else known.set(key, { code, inputs, stamps })
  return code
}

const asFailure = (entry: string, error: unknown): CodeFailure =>
  typeof error === "object" && error !== null && "_tag" in error
    ? (error as CodeFailure)
    : new CodeUnbundled({ entry, detail: error instanceof Error ? error.message : String(error) })

const stampOf = (file: string): string => {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat === undefined ? "gone" : `${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`
}

/** Milliseconds by which the time of a file may be behind the clock: the kernel takes the time of its latest tick. */
const clockStep = 10

/** When a file or folder changed: the later of mtime and ctime. A file that is moved here keeps its old mtime. */
const changedAt = (file: string): number => {
  const stat = statSync(file, { throwIfNoEntry: false })
  return stat === undefined ? 0 : Math.max(stat.mtimeMs, stat.ctimeMs)
}

const sameStamps = ({ inputs, stamps }: Known): boolean =>
  inputs.every((file, index) => stampOf(file) === stamps[index])

const make = async (options: CodeOptions): Promise<{ readonly code: Code; readonly inputs: ReadonlyArray<string> }> => {
  const began = performance.now()
  const limit = options.maxCode ?? defaultMaxCode
  const program = await programOf({ ...options, maxCode: limit })
  const packed = pack(program.index, program.files.map(withMapPacked))
  if (packed.length > limit) {
    throw new CodeTooLarge({
      size: packed.length,
      limit,
      largest: largest(program.files.map(({ bytes, name }) => ({ name, size: bytes.length })))
    })
  }
  const sent = await compress(packed)
  const code: Code = {
    hash: createHash("sha256").update(packed).digest("hex"),
    size: packed.length,
    sent,
    onDisk: program.index.onDisk,
    made: program.made,
    took: performance.now() - began,
    variables: program.variables
  }
  return { code, inputs: program.inputs }
}

/** The file as it travels: a source map is compressed on its own, so that a runner unpacks it where a stack is read. */
const withMapPacked = (file: CodeFile): CodeFile =>
  file.name.endsWith(".map")
    ? { ...file, name: file.name.slice(0, -".map".length) + mapSuffix, bytes: zstdCompressSync(file.bytes) }
    : file

const compress = (packed: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    // 100 is `ZSTD_c_compressionLevel`.
    const options: ZstdOptions = { params: { [100]: level } }
    zstdCompress(packed, options, (error, result) => (error === null ? resolve(result) : reject(error)))
  })

const programOf = async (options: CodeOptions): Promise<Program> => {
  const { entry } = options
  if (entry === undefined) {
    throw new CodeUnbundled({
      entry: "?",
      detail: "no entry is known: start the app by Flame.main, or name the file that runners run in `code: { entry }`"
    })
  }
  const path = Entry.pathOf(entry)
  const file = path === undefined ? undefined : Entry.candidates(path).find((each) => stampOf(each) !== "gone")
  if (file === undefined) {
    throw new CodeUnbundled({ entry: String(entry), detail: `there is no file ${path ?? String(entry)}` })
  }
  const PlainProgram = await import("./PlainProgram.ts")
  const plain = PlainProgram.of(file, options)
  if (plain !== undefined) return Assets.below(dirname(file), plain)
  const { bundleProgram } = await import("./Bundler.ts")
  const bundled = await bundleProgram({ [basename(file).replace(/\.\w+$/, "")]: file }, options)
  return Assets.below(dirname(file), bundled)
}
