/** The door for builds: makes a program into a few files, for an image or for runners that get their code from a parent. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import { bundleProgram } from "./code/Bundler.ts"
import { compileCache, fillCompileCache } from "./code/CompileCache.ts"
import type { CodeOptions } from "./code/CodeOptions.ts"
import type { CodeFile } from "./code/CodePack.ts"
import { makeSnapshot } from "./code/snapshot/Snapshot.ts"
import * as SnapshotFile from "./code/snapshot/SnapshotFile.ts"
import { type CodeFailure, CodeUnbundled } from "./error/CodeFailure.ts"
import type { SnapshotRefused } from "./error/SnapshotRefused.ts"

export { CodeNative, CodeUnbundled } from "./error/CodeFailure.ts"
export { SnapshotRefused } from "./error/SnapshotRefused.ts"
export type { CodeFailure } from "./error/CodeFailure.ts"

/**
 * Options of `bundle`.
 *
 * @since 0.1.0
 * @category options
 */
export interface BuildOptions extends Pick<CodeOptions, "external" | "assets"> {
  /** The folder to write to. Created if it does not exist. Files with other names in it stay. */
  readonly folder: string
  /** Whether names are shortened, which makes the bundle a third smaller. Default true. */
  readonly mangle?: boolean
  /** Conditions by which packages are resolved, before those of this process (`node --conditions`). Default: none. */
  readonly conditions?: ReadonlyArray<string>
  /** Whether a source map is written beside each file, for `node --enable-source-maps`. Default false. */
  readonly sourceMaps?: boolean
  /**
   * Whether the code that V8 has compiled is stored in the folder `.compile-cache`: less than half of the CPU of a boot. A
   * runner of the first entry boots once for it, on the Node of this process, which must be that of the image. `uid` is the
   * user of the image, default this user. Default false.
   */
  readonly compileCache?: boolean | { readonly uid: number }
  /**
   * Whether a V8 startup snapshot is written beside each entry: runners start with their program loaded. Fits only the
   * version of Node that made it. Local pools use the snapshot by themselves, an image by `command`. Modules may not hold
   * open handles, or read the environment, while they load. `allow` names packages whose reads do no harm, and `entries` the
   * entries that get a snapshot, by default all. Default false.
   */
  readonly snapshot?: boolean | { readonly allow?: ReadonlyArray<string>; readonly entries?: ReadonlyArray<string> }
}

/**
 * The files that `bundle` has written.
 *
 * @since 0.1.0
 * @category models
 */
export interface Built {
  /** Path of the first entry. */
  readonly entry: string
  /** Paths of all files from the folder, with their sizes in bytes. */
  readonly files: ReadonlyArray<{ readonly name: string; readonly size: number }>
  /** Variables of the environment that a process needs to use the compile cache. `folder`: the folder of the files there. */
  readonly variables: (folder: string) => Readonly<Record<string, string>>
  /** The command of parents and runners in an image. `folder`: the folder of the files there. */
  readonly command: (folder: string) => ReadonlyArray<string>
}

/**
 * Bundles a program and its imports into a few files that need nothing but Node. These are the entry, a chunk that runners
 * load, and chunks that are loaded later, such as the parent's part.
 *
 * The entry is a `file:` URL or a path, or several of them by name. Writes `<name>.mjs` for each into `folder`. Files that
 * the program names by `new URL("./file", import.meta.url)` are written too. Needs the package `rolldown`. Fails with
 * `CodeUnbundled` where a file does not resolve or parse, and with `CodeNative` where the program imports a native package
 * that is not in `external`. Fails with `SnapshotRefused` where modules cannot be in the `snapshot`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { bundle } from "effect-flame/build"
 *
 * const build = bundle(new URL("./main.ts", import.meta.url), { folder: "dist", compileCache: { uid: 1000 } })
 * const size = Effect.map(build, ({ files }) => files.reduce((sum, { size }) => sum + size, 0))
 * ```
 *
 * @since 0.1.0
 * @category building
 */
export const bundle = (
  entry: string | URL | Readonly<Record<string, string | URL>>,
  options: BuildOptions
): Effect.Effect<Built, CodeFailure | SnapshotRefused> => {
  const entries = entriesOf(entry)
  const first = Object.values(entries)[0] ?? "?"
  return Effect.tryPromise({
    try: () => write(entries, options),
    catch: (error) =>
      typeof error === "object" && error !== null && "_tag" in error
        ? (error as CodeFailure | SnapshotRefused)
        : new CodeUnbundled({ entry: first, detail: error instanceof Error ? error.message : String(error) })
  })
}

const entriesOf = (entry: string | URL | Readonly<Record<string, string | URL>>): Record<string, string> => {
  if (typeof entry === "string" || entry instanceof URL) {
    const path = pathOf(entry)
    return { [basename(path).replace(/\.\w+$/, "")]: path }
  }
  return Object.fromEntries(Object.entries(entry).map(([name, each]) => [name, pathOf(each)]))
}

const pathOf = (entry: string | URL): string =>
  entry instanceof URL || entry.startsWith("file:") ? fileURLToPath(entry) : resolve(entry)

const write = async (entries: Readonly<Record<string, string>>, options: BuildOptions): Promise<Built> => {
  const { compileCache: cache = false, snapshot = false, sourceMaps = false } = options
  // a snapshot needs the maps to name modules
  const bundled = await bundleProgram(entries, {
    mangle: true,
    ...options,
    sourceMaps: sourceMaps || snapshot !== false
  })
  const code = sourceMaps ? bundled.files : bundled.files.filter(({ name }) => !name.endsWith(".mjs.map"))
  const folder = resolve(options.folder)
  const outside = code.find(({ name }) => name.startsWith("../"))
  if (outside !== undefined) {
    throw new Error(`the asset ${outside.name} is outside of the folder of the entry, and a build writes to one folder`)
  }
  const snapshots: Array<CodeFile> = []
  for (const [name, source] of Object.entries(entries)) {
    // A file of an earlier build must not stay beside the new code.
    for (const fileOf of [SnapshotFile.nameOf, SnapshotFile.markOf]) {
      rmSync(join(folder, fileOf(`${name}.mjs`)), { force: true })
    }
    const { allow = [], entries: chosen } = typeof snapshot === "object" ? snapshot : {}
    if (snapshot === false || chosen?.includes(name) === false) continue
    snapshots.push(...(await makeSnapshot(name, source, bundled.files, allow)))
  }
  const files = [...code, ...snapshots]
  for (const { bytes, name } of files) {
    const file = join(folder, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, bytes)
  }
  const main = `${Object.keys(entries)[0]}.mjs`
  const entry = join(folder, main)
  const hasSnapshot = snapshots.some(({ name }) => name === SnapshotFile.nameOf(main))
  if (cache !== false) await fillCompileCache(entry, cache === true ? undefined : cache.uid)
  return {
    entry,
    files: files.map(({ bytes, name }) => ({ name, size: bytes.length })),
    variables: (there) => (cache === false ? {} : compileCache(there)),
    command: (there) => [
      "node",
      ...(hasSnapshot ? [`--snapshot-blob=${join(there, SnapshotFile.nameOf(main))}`] : []),
      join(there, main)
    ]
  }
}
