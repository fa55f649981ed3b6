import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect, Layer } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as CommandBackend from "../../../examples/backend/CommandBackend.ts"
import { bundle, type BuildOptions, SnapshotRefused } from "../../../src/build.ts"
import * as Flame from "../../../src/Flame.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { fact } from "../../fixtures/snapshot/functions.ts"

const root = mkdtempSync(join(tmpdir(), "flame-snapshot-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const fixture = (name: string) => join(import.meta.dirname, "../../fixtures/snapshot", `${name}.ts`)

const built = Effect.runSync(
  Effect.cached(bundle(fixture("main"), { folder: join(root, "dist"), snapshot: true, mangle: false }))
)
beforeAll(() => Effect.runPromise(built))

/** A copy of the build, at another place. */
const copied = Effect.map(built, () => {
  const folder = mkdtempSync(join(root, "copy-"))
  cpSync(join(root, "dist"), folder, { recursive: true })
  return folder
})

interface Said {
  readonly parent: string
  readonly options: ReadonlyArray<string>
  readonly answers: ReadonlyArray<string>
  readonly config: string
  readonly warnings: ReadonlyArray<string>
}

/** Runs the program as a parent, in a Node without the options of this test. Its runner is asked for these facts. */
const run = (args: ReadonlyArray<string>, facts: ReadonlyArray<string>) =>
  Effect.callback<Said>((resume) => {
    const env = { ...process.env, SNAPSHOT_FACT: "of now" }
    delete (env as NodeJS.ProcessEnv)["NODE_OPTIONS"]
    execFile(process.execPath, [...args, facts.join()], { cwd: root, env }, (error, stdout, stderr) => {
      const lines = stdout.trim().split("\n")
      if (error !== null) return resume(Effect.die(new Error(stdout + stderr, { cause: error })))
      const warnings = lines.filter((line) => line.includes("runners boot without the snapshot"))
      resume(Effect.succeed({ ...(JSON.parse(lines.at(-1)!) as Omit<Said, "warnings">), warnings }))
    })
  })

describe("a runner from a V8 snapshot", () => {
  it.live("has the role, environment, arguments and clock of its own process, wherever the build lies [C510]", () =>
    Effect.gen(function* () {
      const entry = join(yield* copied, "main.mjs")
      const asked = ["snapshot", "environment", "variables", "arguments", "options", "program", "url", "began"]
      const { answers, config, parent, warnings } = yield* run([entry], [...asked, "role"])
      const url = pathToFileURL(entry).href
      assert.deepStrictEqual(answers.slice(0, asked.length), [
        "true",
        "of now",
        "",
        [...asked, "role"].join(),
        "",
        entry,
        url,
        "true"
      ])
      assert.match(answers.at(-1)!, /^Runner effect-flame\/Pool pool-\w+-0$/)
      assert.deepStrictEqual([config, parent, warnings], ["of now", "Parent", []])
    })
  )

  it.live("loads modules, threads and packages of Node later, from the folder of its entry [C510]", () =>
    Effect.gen(function* () {
      const { answers } = yield* run([join(yield* copied, "main.mjs")], ["snapshot", "import", "worker", "require"])
      assert.deepStrictEqual(answers, ["true", "imported later", "worker", "string"])
    })
  )

  it.live("shares no random value with another runner [C511]", () =>
    Effect.gen(function* () {
      const { entry } = yield* built
      const first = yield* run([entry], ["random", "life"])
      const second = yield* run([entry], ["random", "life"])
      const drawn = [...first.answers, ...second.answers]
      assert.strictEqual(new Set(drawn).size, 4)
      assert.notInclude(drawn, "")
    })
  )

  it.live("dials back over TLS with its key, as in a pod [C512]", () =>
    Effect.gen(function* () {
      const folder = yield* copied
      const blob = `--snapshot-blob=${join(folder, "main.snapshot")}`
      const backend = CommandBackend.layer({ command: () => [process.execPath, blob, join(folder, "main.mjs")] })
      const answers = yield* Effect.forEach(["snapshot", "variables"], (name) => Flame.call(fact, { name })).pipe(
        Effect.provide(Pool.layer({ max: 1 }).pipe(Layer.provideMerge(Layer.orDie(backend))))
      )
      assert.deepStrictEqual(answers, ["true", ""])
    })
  )

  it.live("has one command with its parent, which loads its entry as without a snapshot [C513]", () =>
    Effect.gen(function* () {
      const folder = yield* copied
      const [, ...args] = (yield* built).command(folder)
      assert.deepStrictEqual(args, [`--snapshot-blob=${join(folder, "main.snapshot")}`, join(folder, "main.mjs")])
      const { answers, config, options, parent } = yield* run(args, ["snapshot", "options", "role"])
      assert.deepStrictEqual([parent, config, options, ...answers.slice(0, 2)], ["Parent", "of now", [], "true", ""])
      assert.match(answers.at(-1)!, /^Runner /)
    })
  )
})

describe("a snapshot that does not fit", () => {
  it.live.each([
    [
      "of another Node",
      "main.snapshot.json",
      (text: string) => text.replace(process.version, "v24.0.0"),
      /was made by Node v24\.0\.0 for/
    ],
    ["of another build", "main.mjs", (text: string) => `${text}\n`, /was made of another build of the program/],
    ["whose mark is damaged", "main.snapshot.json", () => "{", /main\.snapshot\.json is damaged/]
  ] as const)("%s is reported by one warning, and the runner boots without it [C514]", ([, name, edit, words]) =>
    Effect.gen(function* () {
      const folder = yield* copied
      const file = join(folder, name)
      writeFileSync(file, edit(readFileSync(file, "utf8")))
      const { answers, warnings } = yield* run([join(folder, "main.mjs")], ["snapshot"])
      assert.deepStrictEqual(answers, ["false"])
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0]!, words)
      assert.match(warnings[0]!, /run the build again, on the Node of this process$/)
    })
  )

  it.live("with options that load modules ahead is not used, since those modules would not load [C514]", () =>
    Effect.gen(function* () {
      const { entry } = yield* built
      const ahead = "--import=data:text/javascript,globalThis.ahead=true"
      const { answers, warnings } = yield* run([ahead, entry], ["snapshot"])
      assert.deepStrictEqual(answers, ["false"])
      assert.lengthOf(warnings, 1)
      assert.match(warnings[0]!, /main\.snapshot: the options of Node load modules ahead of the program/)
    })
  )
})

describe("a build with a snapshot", () => {
  const refused = (name: string, snapshot: BuildOptions["snapshot"] = true) =>
    Effect.flatMap(Effect.flip(bundle(fixture(name), { folder: join(root, name), snapshot })), (error) =>
      error instanceof SnapshotRefused ? Effect.succeed(error) : Effect.die(error)
    )

  it.live("names each module that uses its process while it loads, with the line, and writes nothing [C515]", () =>
    Effect.gen(function* () {
      const { modules } = yield* refused("refused")
      assert.deepStrictEqual([...new Set(modules.map(({ module }) => module))], ["Uses.ts"])
      const details = modules.map(({ detail }) => detail)
      for (const words of [
        /^reads process\.env\.HOME while it loads \(line 13\)$/,
        /^reads process\.argv /,
        /^reads the current directory /,
        /^reads os\.hostname\(\) /,
        /^draws a random value, .*\(line 17\)$/,
        /^draws a random value, .*\(line 18\)$/,
        /^reads import\.meta\.url /,
        /^uses node:https /,
        /^leaves open a handle \(file\) /,
        /^leaves open a handle \(Timeout\) /,
        /^leaves open a handle \(TCPSERVERWRAP\) /
      ]) {
        assert.isTrue(
          details.some((detail) => words.test(detail)),
          `${words} is not in ${details.join("\n")}`
        )
      }
      assert.isFalse(existsSync(join(root, "refused")))
    })
  )

  it.live("of a program that awaits while it loads is refused [C516]", () =>
    Effect.gen(function* () {
      const { message } = yield* refused("awaits")
      assert.match(message, /awaits\.ts awaits while it loads: a snapshot is made of a script/)
    })
  )

  it.live("of a program that runs nothing is refused [C516]", () =>
    Effect.gen(function* () {
      assert.match((yield* refused("idle")).message, /idle\.ts does not run its program by `runMain`/)
    })
  )

  /** A program that imports a package which reads the environment while it loads. */
  const colorful = (name: string) => {
    const folder = join(root, name)
    const colors = join(folder, "node_modules", "colors")
    mkdirSync(colors, { recursive: true })
    writeFileSync(join(colors, "package.json"), `{"name":"colors","type":"module","exports":"./index.js"}`)
    writeFileSync(join(colors, "index.js"), "export const color = process.env.NO_COLOR === undefined")
    const entry = join(folder, "main.mjs")
    const door = JSON.stringify(join(import.meta.dirname, "../../../src/FlameRunner.ts"))
    writeFileSync(
      entry,
      `import { runMain, serve } from ${door}\nimport { color } from "colors"\nserve([]).pipe(runMain)\nexport default color`
    )
    return { entry, folder: join(folder, "out") }
  }

  it.live("names a package that reads the environment while it loads [C517]", () =>
    Effect.gen(function* () {
      const { entry, folder } = colorful("colors")
      const { message } = yield* Effect.flip(bundle(entry, { folder, snapshot: true }))
      assert.match(message, /node_modules\/colors\/index\.js reads process\.env\.NO_COLOR while it loads/)
    })
  )

  it.live("accepts what an allowed package reads while it loads [C517]", () =>
    Effect.gen(function* () {
      const { entry, folder } = colorful("allowed")
      yield* bundle(entry, { folder, snapshot: { allow: ["colors"] } })
      assert.isTrue(existsSync(join(folder, "main.snapshot")))
    })
  )

  it.live("writes a snapshot for each chosen entry, and takes away those of an earlier build [C518]", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(root, "two-"))
      for (const name of ["main.snapshot", "main.snapshot.json"])
        writeFileSync(join(folder, name), "of an earlier build")
      const { command } = yield* bundle(
        { main: fixture("main"), runner: fixture("runner") },
        { folder, snapshot: { entries: ["runner"] } }
      )
      assert.deepStrictEqual(
        readdirSync(folder).filter((name) => name.includes(".snapshot")),
        ["runner.snapshot", "runner.snapshot.json"]
      )
      assert.deepStrictEqual(command("/app"), ["node", "/app/main.mjs"])
    })
  )
})
