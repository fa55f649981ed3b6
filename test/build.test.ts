import { assert, describe, it } from "@effect/vitest"
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect, Layer } from "effect"
import * as ProcessBackend from "../src/backend/ProcessBackend.ts"
import { bundle } from "../src/build.ts"
import * as Flame from "../src/Flame.ts"
import { Pool } from "../src/pool/Pool.ts"
import { feature } from "./fixtures/code/functions.ts"

const folderOf = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-build-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

const runner = join(import.meta.dirname, "fixtures/code/runner.ts")

describe("a bundle for an image", () => {
  it.live("runs without the sources, and has the compile cache of the image's user [C272]", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const built = yield* bundle(pathToFileURL(runner), { folder, mangle: false, compileCache: { uid: 4711 } })
      assert.strictEqual(built.entry, join(folder, "runner.mjs"))
      const names = built.files.map(({ name }) => name)
      assert.lengthOf(
        names.filter((name) => /^runner-[\w-]{8}\.mjs$/.test(name)),
        1
      )
      assert.isTrue(names.every((name) => readdirSync(folder).includes(name)))
      assert.match(readdirSync(join(folder, ".compile-cache")).join(), /-4711$/)
      assert.strictEqual(built.variables("/app")["NODE_COMPILE_CACHE"], "/app/.compile-cache")
      const pool = Pool.layer({ max: 1 }).pipe(Layer.provideMerge(ProcessBackend.layer({ entry: built.entry })))
      const answers = yield* Effect.forEach(["wasm", "worker", "asset", "import"], (name) =>
        Flame.call(feature, { name })
      ).pipe(Effect.provide(pool))
      assert.deepStrictEqual(answers, ["wasm 5", "worker", "an asset", "imported later"])
    })
  )

  it.live("with an asset from outside of the entry's folder fails, and nothing is written [C275]", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const { message } = yield* Effect.flip(bundle(runner, { folder, assets: ["../../build.test.ts"] }))
      assert.match(message, /the asset \.\.\/\.\.\/build\.test\.ts is outside of the folder of the entry/)
      assert.deepStrictEqual(readdirSync(folder), [])
    })
  )

  it.live("made twice into one folder replaces the compile cache, and leaves the user's own files [C272]", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf
      const note = join(folder, "note.code")
      writeFileSync(note, "a file of the user")
      const cache = join(folder, ".compile-cache")
      const build = bundle(runner, { folder, compileCache: { uid: 4711 } })
      yield* build
      const [name = "?"] = readdirSync(cache)
      writeFileSync(join(cache, name, "old"), "of the first build")
      yield* build
      assert.deepStrictEqual(readdirSync(cache), [name])
      assert.isFalse(existsSync(join(cache, name, "old")))
      assert.isTrue(existsSync(note))
      const left = readdirSync(folder).filter((each) => /\.code$|^\.compile-cache./.test(each))
      assert.deepStrictEqual(left, ["note.code"])
    })
  )

  it.live(
    "of a program that ends without serving gets no compile cache, and the error says how the program ended [C272]",
    () =>
      Effect.gen(function* () {
        const folder = yield* folderOf
        const entry = join(import.meta.dirname, "fixtures/code/Names.ts")
        const { message } = yield* Effect.flip(bundle({ names: entry }, { folder, compileCache: true }))
        assert.match(message, /names\.mjs does not run as a runner: it ended with 0/)
      })
  )
})
