/** The code of `weigh`. Runs on runners, or in the parent with `--serial`. */
import { readdir, readFile, stat } from "node:fs/promises"
import { extname, join, relative } from "node:path"
import { brotliCompressSync, constants } from "node:zlib"
import * as Effect from "effect/Effect"
import { Flame } from "effect-flame"
import { Minifier } from "./Minifier.ts"
import { Unreadable, weigh, type Weight } from "./Weigh.ts"

const scripts = new Set([".js", ".mjs", ".cjs"])

/** Reads every file of the package, minifies its scripts and compresses each as hard as brotli can. */
export const weighPackage = Effect.fnUntraced(function* (folder: string) {
  const minifier = yield* Minifier
  const total = { files: 0, bytes: 0, scripts: 0, raw: 0, minified: 0, brotli: 0 }
  for (const path of yield* filesOf(folder, folder)) {
    const file = relative(folder, path)
    total.files++
    if (!scripts.has(extname(path))) {
      total.bytes += (yield* reading(file, () => stat(path))).size
      continue
    }
    // A cancellation can arrive here, because the event loop is free between two files.
    const source = yield* reading(file, () => readFile(path))
    const minified = Buffer.from(yield* minifier.minify(file, source.toString("utf8")))
    total.bytes += source.length
    total.scripts++
    total.raw += source.length
    total.minified += minified.length
    total.brotli += compressedSize(minified)
  }
  return total satisfies Weight
})

export const weighLive = Flame.implement(weigh, ({ folder }) => weighPackage(folder))

/** All files below a directory, without the package's own node_modules, which are other packages. */
const filesOf = (folder: string, directory: string): Effect.Effect<ReadonlyArray<string>, Unreadable> =>
  Effect.gen(function* () {
    const entries = yield* reading(relative(folder, directory) || ".", () =>
      readdir(directory, { withFileTypes: true })
    )
    const files: Array<string> = []
    for (const entry of entries) {
      const path = join(directory, entry.name)
      // A link is read as its target, but a linked directory is not walked: links may form a circle.
      if (!entry.isDirectory()) files.push(path)
      else if (directory !== folder || entry.name !== "node_modules") files.push(...(yield* filesOf(folder, path)))
    }
    return files
  })

const compressedSize = (bytes: Uint8Array): number =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } }).length

const reading = <A>(file: string, read: () => Promise<A>): Effect.Effect<A, Unreadable> =>
  Effect.tryPromise({
    try: read,
    catch: (cause) => new Unreadable({ file, problem: (cause as NodeJS.ErrnoException).code ?? String(cause) })
  })
