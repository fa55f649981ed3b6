import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { zstdDecompressSync } from "node:zlib"
import { Effect, Fiber, Schedule, type Scope } from "effect"
import * as Code from "../../src/code/PreparedCode.ts"
import type { CodeOptions } from "../../src/code/CodeOptions.ts"
import { unpack } from "../../src/code/CodePack.ts"

const cache = join(import.meta.dirname, "../../.cache")

/** A folder of this package with these files, until the scope closes. */
const program = (files: Readonly<Record<string, string>>): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(cache, { recursive: true })
      const folder = mkdtempSync(join(cache, "program-"))
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true })
        writeFileSync(join(folder, name), text)
      }
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )

/** Waits until the files of a folder are older than the code that is made next. */
const settled = (folder: string) =>
  Effect.suspend(() => {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name))
    const latest = Math.max(...[folder, ...files].map((file) => statSync(file).ctimeMs))
    return Date.now() > latest + 20 ? Effect.void : Effect.fail("young")
  }).pipe(Effect.retry({ schedule: Schedule.spaced("5 millis") }))

const contents = (code: Code.Code) => unpack(zstdDecompressSync(code.sent))

const failing = (
  title: string,
  files: Readonly<Record<string, string>>,
  tag: string,
  words: RegExp,
  options: CodeOptions = {}
) =>
  it.live(title, () =>
    Effect.gen(function* () {
      const folder = yield* program(files)
      const cause = yield* Effect.flip(Code.prepare({ entry: join(folder, "main.ts"), ...options }))
      assert.strictEqual(cause._tag, tag)
      assert.match(cause.message, words)
    })
  )

describe("the code of a program", () => {
  failing(
    "whose file does not parse fails with CodeUnbundled and the bundler's message [C257]",
    { "main.ts": "import './broken.ts'", "broken.ts": "const = 3" },
    "CodeUnbundled",
    /main\.ts: [^]*broken\.ts:1/
  )
  failing(
    "that imports a missing file fails with CodeUnbundled [C257]",
    { "main.ts": "import './nowhere.ts'" },
    "CodeUnbundled",
    /Could not resolve '.\/nowhere.ts' in [^]*main\.ts:1/
  )
  failing(
    "that imports a package which is not installed fails with CodeUnbundled [C257]",
    { "main.ts": "import 'not-installed-here'" },
    "CodeUnbundled",
    /Could not resolve 'not-installed-here' in [^]*main\.ts:1/
  )
  failing("without a file is CodeUnbundled [C257]", {}, "CodeUnbundled", /there is no file .*main\.ts/)
  failing(
    "above the limit fails with CodeTooLarge, which names its largest files [C258]",
    { "main.mjs": "export {}", "main.ts": "", "big.bin": "x".repeat(3_000_000) },
    "CodeTooLarge",
    /has 3\.0 MB, the limit is 2\.0 MB; its largest files are big\.bin \(3000 kB\)/,
    { assets: ["big.bin"], maxCode: 2_000_000 }
  )

  const addon = {
    "node_modules/fast-hash/package.json": JSON.stringify({ name: "fast-hash", gypfile: true, main: "index.js" }),
    "node_modules/fast-hash/index.js": "module.exports = require('./build/hash.node')",
    "node_modules/fast-hash/build/hash.node": ""
  }
  failing(
    "that imports a package with a native addon fails with CodeNative, which names the package and what to do [C259]",
    { "main.ts": "import hash from 'fast-hash'\nconsole.log(hash)", ...addon },
    "CodeNative",
    /fast-hash cannot be sent to runners: it has a native addon, and .*main\.ts imports it; .*external: \["fast-hash"\]/
  )
  failing(
    "that loads a native addon of its own fails with CodeNative [C259]",
    { "main.ts": "import hash from './hash.node'\nconsole.log(hash)", "hash.node": "" },
    "CodeNative",
    /hash\.node is a native addon/
  )

  it.live(
    "leaves out an addon that is imported on demand, and the packages of `external` with their subpaths [C259]",
    () =>
      Effect.gen(function* () {
        const folder = yield* program({
          "main.ts": "export const later = () => import('fast-hash')\nexport { a } from 'of-the-image/lib/a.js'",
          ...addon
        })
        const code = yield* Code.prepare({ entry: join(folder, "main.ts"), external: ["of-the-image"] })
        const { files, index } = contents(code)
        assert.deepStrictEqual(Object.keys(index.native), ["fast-hash"])
        assert.match(String(files[0]?.bytes), /from ?["'`]of-the-image\/lib\/a\.js/)
      })
  )

  it.live("stays in memory unless a line of code opens a file by its path; comments do not count [C256]", () =>
    Effect.gen(function* () {
      const folder = yield* program({
        "main.ts": "import './other.ts'\n// new URL('./note.txt', import.meta.url)\nconsole.log(1)",
        "other.ts": "/**\n * new URL('./note.txt', import.meta.url)\n */\nconsole.log(2)",
        "open.ts": "console.log(new URL('./note.txt', import.meta.url), new URL('./gone.txt', import.meta.url))",
        "note.txt": "a note"
      })
      const made = (name: string) => Effect.map(Code.prepare({ entry: join(folder, name) }), contents)
      const memory = yield* made("main.ts")
      assert.deepStrictEqual([memory.index.onDisk, memory.files.length], [false, 2])
      const { files, index } = yield* made("open.ts")
      assert.isTrue(index.onDisk)
      assert.deepStrictEqual(
        files.map(({ name }) => name.replace(/-[\w-]{8}\./, ".")),
        ["open.mjs", "open.mjs.map.zst", "note.txt"]
      )
    })
  )

  it.live("is bundled once, and again when one of its files has changed [C260]", () =>
    Effect.gen(function* () {
      const folder = yield* program({ "main.ts": "import './other.ts'", "other.ts": "console.log(1)" })
      yield* settled(folder)
      const prepare = Code.prepare({ entry: join(folder, "main.ts") })
      const [first, second] = yield* Effect.all([prepare, prepare], { concurrency: 2 })
      assert.strictEqual(first, second)
      assert.strictEqual(yield* prepare, first)
      writeFileSync(join(folder, "other.ts"), "console.log(22)")
      const changed = yield* prepare
      assert.notStrictEqual(changed.hash, first.hash)
    })
  )

  it.live("is made again when a file was edited while the code was made, also for who asks meanwhile [C260]", () =>
    Effect.gen(function* () {
      const folder = yield* program({ "main.ts": "import './other.ts'", "other.ts": "console.log('before')" })
      const prepare = Code.prepare({ entry: join(folder, "main.ts") })
      const first = yield* Effect.forkChild(prepare, { startImmediately: true })
      // Edits in every turn: the latest of them comes after the file was read.
      let edits = 0
      const edit = Effect.sync(() => writeFileSync(join(folder, "other.ts"), `console.log('edit ${++edits}.')`))
      const editing = yield* Effect.forkChild(Effect.forever(Effect.andThen(edit, Effect.yieldNow)))
      const asking = yield* Effect.forkChild(Effect.delay(prepare, "1 millis"))
      const early = yield* Fiber.join(first)
      yield* Fiber.interrupt(editing)
      assert.isAbove(edits, 1)
      assert.notStrictEqual(yield* Fiber.join(asking), early)
      assert.include(String(contents(yield* prepare).files[0]?.bytes), `edit ${edits}.`)
    })
  )

  it.live(
    "is made again when a file comes into a folder of assets, or a file that it opens changes or comes [C260]",
    () =>
      Effect.gen(function* () {
        const folder = yield* program({
          "main.ts": "console.log(new URL('./note.txt', import.meta.url), new URL('./late.txt', import.meta.url))",
          "plain.mjs": "import('./late.mjs')",
          "note.txt": "a note",
          "data/deep/a.bin": "a"
        })
        yield* settled(folder)
        const prepare = Code.prepare({ entry: join(folder, "main.ts"), assets: ["data"] })
        const plain = Code.prepare({ entry: join(folder, "plain.mjs") })
        const hashes = [(yield* prepare).hash]
        for (const name of ["data/deep/b.bin", "data/c.bin", "note.txt", "late.txt"]) {
          writeFileSync(join(folder, name), "new")
          yield* settled(folder)
          hashes.push((yield* prepare).hash)
        }
        assert.strictEqual(new Set(hashes).size, 5)
        assert.strictEqual((yield* prepare).hash, hashes.at(-1))
        const { hash } = yield* plain
        writeFileSync(join(folder, "late.mjs"), "")
        assert.notStrictEqual((yield* plain).hash, hash)
      })
  )

  it.live("keeps the path of assets from the entry, also outside of its folder and by links [C275]", () =>
    Effect.gen(function* () {
      const folder = yield* program({
        "app/src/main.ts": "console.log(1)",
        "app/src/plain.mjs": "",
        "a/x.bin": "a",
        "app/b/x.bin": "b",
        "app/src/x.bin": "c"
      })
      symlinkSync(join(folder, "app/b"), join(folder, "app/src/linked"))
      symlinkSync("..", join(folder, "app/b/loop"))
      const assets = ["../../a", "../b/x.bin", "x.bin", "./x.bin", "linked/x.bin"]
      for (const [name, made] of [
        ["main.ts", "src/main.mjs"],
        ["plain.mjs", "src/plain.mjs"]
      ] as const) {
        const { files, index } = contents(yield* Code.prepare({ entry: join(folder, "app/src", name), assets }))
        const sent = Object.fromEntries(files.map((file) => [file.name, String(file.bytes)]))
        assert.strictEqual(index.entry, `app/${made}`)
        assert.containsSubset(sent, {
          "a/x.bin": "a",
          "app/b/x.bin": "b",
          "app/src/x.bin": "c",
          "app/src/linked/x.bin": "b"
        })
      }
      const loop = yield* Code.prepare({ entry: join(folder, "app/src/main.ts"), assets: ["../b"] })
      assert.isAtLeast(contents(loop).files.length, 3)
    })
  )

  failing(
    "with an asset that has the name of its code fails with CodeUnbundled [C275]",
    { "main.ts": "", "main.mjs": "an old build" },
    "CodeUnbundled",
    /the asset main\.mjs has the name of a file that the code has: rename the asset/,
    { assets: ["main.mjs"] }
  )
  failing(
    "with an asset that does not exist fails with CodeUnbundled [C275]",
    { "main.ts": "" },
    "CodeUnbundled",
    /the asset gone\.bin is no file or folder: .*gone\.bin/,
    { assets: ["gone.bin"] }
  )

  it.live("with assets above the limit fails before it reads them [C258]", () =>
    Effect.gen(function* () {
      const folder = yield* program({ "main.ts": "", "huge.bin": "" })
      truncateSync(join(folder, "huge.bin"), 2 ** 40)
      const cause = yield* Effect.flip(Code.prepare({ entry: join(folder, "main.ts"), assets: ["huge.bin"] }))
      assert.strictEqual(cause._tag, "CodeTooLarge")
      assert.match(cause.message, /largest files are huge\.bin/)
    })
  )

  it.live("is sent unchanged if it needs no bundler: plain modules that import Node and each other [C261]", () =>
    Effect.gen(function* () {
      const folder = yield* program({
        "main.mjs":
          "import 'node:fs'\nimport './chunks/a.mjs'\nconst b = import('./b.json', { with: { type: 'json' } })",
        "chunks/a.mjs": "console.log(process.env.TOKEN, process.env['URL_OF_IT'])",
        "chunks/a.mjs.map": "{}",
        "b.json": "{}"
      })
      const code = yield* Code.prepare({ entry: join(folder, "main.mjs") })
      const { files, index } = contents(code)
      assert.deepStrictEqual(
        files.map(({ name }) => name),
        ["main.mjs", "b.json", "chunks/a.mjs", "chunks/a.mjs.map.zst"]
      )
      assert.deepStrictEqual([index.onDisk, code.made], [false, "sent as it is"])
      assert.deepStrictEqual(code.variables, ["TOKEN", "URL_OF_IT"])
    })
  )

  it.live("is sent as it is after a bundler made it, whatever its texts say and it asks for later [C261]", () =>
    Effect.gen(function* () {
      const folder = yield* program({
        "main.mjs": `import{a as b}from"./a.mjs";export*from"node:fs";const t="import x from 'y'",o=()=>import("left-out");import("./late.mjs");new Worker(new URL("worker.mjs",import.meta.url).href);new URL("./gone.ts",import.meta.url)`,
        "a.mjs": "export const a='from \\'nowhere\\''",
        "late.mjs": "require('also-left-out')",
        "worker.mjs": "import './a.mjs'"
      })
      const code = yield* Code.prepare({ entry: join(folder, "main.mjs") })
      assert.deepStrictEqual([code.made, code.onDisk], ["sent as it is", true])
      const names = contents(code).files.map(({ name }) => name)
      assert.deepStrictEqual(names.toSorted(), ["a.mjs", "late.mjs", "main.mjs", "worker.mjs"])
      const needy = yield* program({ "main.mjs": 'import{b}from"a-package";console.log(b)' })
      const cause = yield* Effect.flip(Code.prepare({ entry: join(needy, "main.mjs") }))
      assert.match(cause.message, /Could not resolve 'a-package'/)
    })
  )

  it.live("is bundled if it asks whether it is the main program, which Node denies to an imported entry [C261]", () =>
    Effect.gen(function* () {
      const folder = yield* program({
        "main.mjs": "if (import.meta.main) console.log('started')",
        "common.cjs": "if (require.main === module) console.log('started')"
      })
      for (const name of ["main.mjs", "common.cjs"]) {
        const code = yield* Code.prepare({ entry: join(folder, name) })
        assert.strictEqual(code.made, "bundled by rolldown")
        const text = String(contents(code).files[0]?.bytes)
        assert.include(text, "started")
        assert.notMatch(text, /import\.meta\.main|require\.main/)
      }
    })
  )

  it.live("that is sent as it is finds imports with comments, and is bundled if it makes a path [C261]", () =>
    Effect.gen(function* () {
      const folder = yield* program({
        "main.mjs": `/* first */ import /* a */ "./a.mjs"
import { b /* of b */ } from // here
  "./b.mjs"
export default "no file"
const name = "left-out", dynamic = () => import(name)
const later = () => import(/* webpackChunkName: "lazy" */ "./lazy.mjs"), next = () => import(
  // twice
  \`./next.mjs\`
)`,
        "a.mjs": "",
        "b.mjs": "export const b = 1",
        "lazy.mjs": "",
        "next.mjs": "",
        "path.mjs": "export const of = () => import('./la' + 'zy.mjs')",
        "late.mjs": "import('./path.mjs')",
        "choice.mjs": "export const of = (is) => import(is ? './a.mjs' : './b.mjs')",
        "template.mjs": "export const of = (name) => import(`./${name}.mjs`)"
      })
      const code = yield* Code.prepare({ entry: join(folder, "main.mjs") })
      const names = contents(code).files.map(({ name }) => name)
      assert.strictEqual(code.made, "sent as it is")
      assert.deepStrictEqual(names.toSorted(), ["a.mjs", "b.mjs", "lazy.mjs", "main.mjs", "next.mjs"])
      for (const name of ["path.mjs", "late.mjs", "choice.mjs", "template.mjs"]) {
        const { made } = yield* Code.prepare({ entry: join(folder, name) })
        assert.strictEqual(made, "bundled by rolldown", name)
      }
    })
  )

  it.live("stays in memory where only this library names a file of its own [C256]", () =>
    Effect.gen(function* () {
      const source = JSON.stringify(join(import.meta.dirname, "../../src/FlameLayer.ts"))
      const folder = yield* program({ "main.ts": `import * as Layers from ${source}\nconsole.log(Layers)` })
      const { onDisk } = yield* Code.prepare({ entry: join(folder, "main.ts") })
      assert.isFalse(onDisk)
    })
  )

  it.live("fails without the bundler, with the command that installs it [C262]", () =>
    Effect.gen(function* () {
      const hook = `import { registerHooks } from "node:module"
registerHooks({ resolve: (name, context, next) => {
  if (name !== "rolldown") return next(name, context)
  throw Object.assign(new Error("Cannot find package 'rolldown'"), { code: "ERR_MODULE_NOT_FOUND" })
} })`
      const folder = yield* program({
        "main.ts": "const n: number = 1\nconsole.log(n)",
        "parent.ts": `import { Effect } from "effect"
import * as Code from ${JSON.stringify(join(import.meta.dirname, "../../src/code/PreparedCode.ts"))}
const cause = await Effect.runPromise(Effect.flip(Code.prepare({ entry: process.argv[2]! })))
console.log(cause.message)`
      })
      const option = `--import=data:text/javascript,${encodeURIComponent(hook)}`
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)(process.execPath, [option, join(folder, "parent.ts"), join(folder, "main.ts")])
      )
      assert.match(stdout, /the package rolldown is not installed: run `npm install --save-dev rolldown`/)
    })
  )
})
