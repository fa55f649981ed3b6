import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { fixture } from "../fixtures/process/kit.ts"
import { leave, started } from "../fixtures/process/leaver.ts"

const local = (options: FlameLayer.LocalOptions = {}) =>
  FlameLayer.local({ entry: fixture("leaver.ts"), max: 1, ...options })

describe("a runner whose stdout and stderr a grandchild still holds", () => {
  const lost = (how: "exit" | "kill" | "memory", options: FlameLayer.LocalOptions = {}) =>
    Effect.gen(function* () {
      const { reason } = yield* Effect.flip(Flame.call(leave, how))
      if (reason._tag !== "RunnerLost") return assert.fail(reason.message)
      return reason.exit
    }).pipe(Effect.provide(local(options)))

  it.live("[C222] is lost with its exit code and its last output", () =>
    Effect.gen(function* () {
      const exit = yield* lost("exit")
      assert.deepInclude({ ...exit }, { _tag: "Exited", code: 7 })
      assert.include(exit.message, "the last words")
    })
  )

  it.live("[C222] is lost with its signal", () =>
    Effect.gen(function* () {
      assert.deepInclude({ ...(yield* lost("kill")) }, { _tag: "Killed", signal: "SIGKILL" })
    })
  )

  it.live("[C222] is lost with OutOfMemory", () =>
    Effect.gen(function* () {
      const limit = "--max-old-space-size=32"
      assert.deepInclude({ ...(yield* lost("memory", { execArgv: [limit] })) }, { _tag: "OutOfMemory", limit })
    })
  )
})

describe("a local runner", () => {
  it.live("[C223] has the arguments of the option argv", () =>
    Effect.gen(function* () {
      const { argv } = yield* Flame.call(started)
      assert.deepStrictEqual(argv, ["--db", "postgres://x y"])
    }).pipe(Effect.provide(local({ argv: ["--db", "postgres://x y"] })))
  )

  it("[C223] [C224] has its parent's arguments, and loads its parent's preloaded modules, also in another directory", () => {
    const directory = Fs.realpathSync(Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-flame-cwd-")))
    const elsewhere = Path.join(directory, "else where")
    Fs.mkdirSync(elsewhere)
    Fs.writeFileSync(Path.join(directory, "instrument.mjs"), "globalThis.instrumented = true")
    Fs.writeFileSync(Path.join(directory, "required.cjs"), "process.chdir('.')")
    try {
      const args = ["--import", "./instrument.mjs", "--require=./required.cjs", fileURLToPath(fixture("starter.ts"))]
      const output = execFileSync(process.execPath, [...args, elsewhere, "--verbose"], {
        cwd: directory,
        encoding: "utf8"
      })
      assert.deepStrictEqual(JSON.parse(output), {
        argv: [elsewhere, "--verbose"],
        cwd: elsewhere,
        instrumented: true
      })
    } finally {
      Fs.rmSync(directory, { recursive: true })
    }
  })
})
