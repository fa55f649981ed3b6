import { existsSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { isAlive } from "../../fixtures/conformance-process/census.ts"
import { fixture, lateness, leavesNothing } from "../../fixtures/conformance-process/harness.ts"
import { until } from "../../fixtures/conformance-process/patience.ts"
import { start } from "../../fixtures/conformance-process/program.ts"

const cancelGrace = 300
const options = { max: 2, cancelGrace, drainTimeout: "1 minute" } as const

describe("a parent that is killed", () => {
  it.live.each(["parent-main.ts", "parent-two.ts"])(
    "[C51] [C89] (%s) leaves runners that interrupt their calls and end within `cancelGrace`",
    (file) =>
      leavesNothing(
        Effect.gen(function* () {
          const program = yield* start(file, { options, keys: ["a", "b"] })
          const runners = [yield* program.stage.said("a", "started"), yield* program.stage.said("b", "started")]
          yield* program.kill("SIGKILL")
          yield* program.stage.said("a", "finalized")
          yield* program.stage.said("b", "finalized")
          const took = yield* program.gone
          assert.isBelow(took, cancelGrace + lateness)
          assert.isFalse(runners.some(({ pid }) => isAlive(pid)))
          assert.deepStrictEqual(yield* program.ended, { code: null, signal: "SIGKILL" })
          assert.isFalse(existsSync(program.finalized))
        })
      )
  )

  it.live("[C51] [C89] leaves a runner with a blocked event loop only until the reaper kills it", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-two.ts", { options, keys: ["a"] })
        const { pid } = yield* program.stage.said("a", "started")
        yield* program.stage.tell("a", "block /never")
        yield* program.stage.said("a", "blocking")
        yield* program.kill("SIGKILL")
        const took = yield* program.gone
        // The reaper kills half a second after `cancelGrace`, by which a healthy runner has ended.
        assert.isBelow(took, cancelGrace + 500 + lateness)
        assert.isFalse(isAlive(pid))
      })
    )
  )

  it.live("[C51] leaves a runner with a blocked event loop that unblocks in time, which ends by itself", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-two.ts", {
          options: { ...options, cancelGrace: "10 seconds" },
          keys: ["a"]
        })
        yield* program.stage.said("a", "started")
        yield* program.stage.tell("a", `block ${program.stage.gate}`)
        yield* program.stage.said("a", "blocking")
        yield* program.kill("SIGKILL")
        yield* program.stage.open
        yield* program.stage.said("a", "finalized")
        yield* program.gone
      })
    )
  )

  it.live("[C51] leaves nothing of a call whose finalizer takes longer than `cancelGrace`", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-two.ts", { options, keys: ["a"], stubborn: true })
        yield* program.stage.said("a", "started")
        yield* program.kill("SIGKILL")
        yield* program.stage.said("a", "interrupted")
        assert.isBelow(yield* program.gone, cancelGrace + 500 + lateness)
      })
    )
  )

  it.live("[C51] [C89] leaves nothing of runners that boot", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-main.ts", { options: { ...options, min: 2 } })
        // The program itself, two runners, and the reaper.
        yield* until(() => program.running.length === 4, "two runners boot")
        yield* program.kill("SIGKILL")
        assert.isBelow(yield* program.gone, cancelGrace + 500 + lateness)
      })
    )
  )
})

describe("a parent that exits without closing its pool", () => {
  it.live("leaves runners that interrupt their calls and end", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-two.ts", { options, keys: ["a"], finish: "exit" })
        yield* program.stage.said("a", "started")
        yield* program.kill("SIGUSR2")
        yield* program.stage.said("a", "finalized")
        assert.isBelow(yield* program.gone, cancelGrace + 500 + lateness)
        assert.deepStrictEqual(yield* program.ended, { code: 3, signal: null })
      })
    )
  )
})

/** The exit code that a shell reports for a program that was ended by a signal. */
const codes = { SIGTERM: 143, SIGINT: 130 } as const

describe("a program under Flame.runMain", () => {
  it.live.each(["SIGTERM", "SIGINT"] as const)(
    "[C61] on %s to all of its processes while its first runners boot gives them up and exits with the signal's code",
    (signal) =>
      leavesNothing(
        Effect.gen(function* () {
          const entry = fixture("silent.ts").pathname
          const program = yield* start("parent-two.ts", { options: { ...options, entry, min: 2, awaitMin: true } })
          // The program itself, two runners, and the reaper.
          yield* until(() => program.running.length === 4, "two runners boot")
          yield* program.killGroup(signal)
          assert.deepStrictEqual(yield* program.ended, { code: codes[signal], signal: null })
          assert.deepStrictEqual(program.running, [])
          assert.isFalse(existsSync(program.finalized))
        })
      )
  )

  it.live.each(["SIGTERM", "SIGINT"] as const)(
    "[C61] [C220] on %s accepts no new calls, lets calls in flight end, and exits with the signal's code",
    (signal) =>
      leavesNothing(
        Effect.gen(function* () {
          const program = yield* start("parent-main.ts", { options: { ...options, max: 1 }, keys: ["a", "b"] })
          const { pid } = yield* program.stage.said("a", "started")
          yield* program.kill(signal)
          // A call that waited, and a call made after the signal.
          yield* program.has({ key: "b", outcome: "PoolClosed" })
          yield* program.has({ key: "b-next", outcome: "PoolClosed" })
          assert.isTrue(isAlive(pid))
          yield* program.stage.tell("a", "return")
          yield* program.has({ key: "a", outcome: `${pid}` })
          assert.deepStrictEqual(yield* program.ended, { code: codes[signal], signal: null })
          assert.deepStrictEqual(program.running, [])
          assert.isTrue(existsSync(program.finalized))
          yield* program.has({ closed: "Parent" })
        })
      )
  )

  it.live("[C61] on Ctrl-C, which its runners get too, accepts no new calls and lets calls in flight end", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-main.ts", { options: { ...options, max: 1 }, keys: ["a", "b"] })
        const { pid } = yield* program.stage.said("a", "started")
        yield* program.killGroup("SIGINT")
        yield* program.has({ key: "b", outcome: "PoolClosed" })
        assert.isTrue(isAlive(pid))
        yield* program.stage.tell("a", "return")
        yield* program.has({ key: "a", outcome: `${pid}` })
        assert.deepStrictEqual(yield* program.ended, { code: 130, signal: null })
        assert.deepStrictEqual(program.running, [])
      })
    )
  )

  it.live("[C61] on SIGTERM to all of its processes accepts no new calls and lets calls in flight end", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-main.ts", { options: { ...options, max: 1 }, keys: ["a", "b"] })
        const { pid } = yield* program.stage.said("a", "started")
        yield* program.killGroup("SIGTERM")
        yield* program.has({ key: "b", outcome: "PoolClosed" })
        yield* program.stage.tell("a", "return")
        yield* program.has({ key: "a", outcome: `${pid}` })
        assert.deepStrictEqual(yield* program.ended, { code: 143, signal: null })
        assert.deepStrictEqual(program.running, [])
      })
    )
  )

  it.live.each(["SIGTERM", "SIGINT"] as const)("[C61] on a second %s interrupts its calls at once", (signal) =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-main.ts", { options: { ...options, max: 1 }, keys: ["a", "b"] })
        yield* program.stage.said("a", "started")
        yield* program.killGroup(signal)
        yield* program.has({ key: "b", outcome: "PoolClosed" })
        const at = performance.now()
        yield* program.killGroup(signal)
        yield* program.stage.said("a", "finalized")
        const { code } = yield* program.ended
        assert.isBelow(performance.now() - at, cancelGrace + lateness)
        assert.strictEqual(code, codes[signal])
        assert.deepStrictEqual(program.running, [])
        assert.isTrue(existsSync(program.finalized))
      })
    )
  )

  it.live(
    "[C61] interrupts calls that do not end within the budget, waits for their finalizers, and exits with 143",
    () =>
      leavesNothing(
        Effect.gen(function* () {
          const program = yield* start("parent-two.ts", {
            options: { ...options, drainTimeout: "300 millis" },
            keys: ["a"]
          })
          yield* program.stage.said("a", "started")
          yield* program.kill("SIGTERM")
          yield* program.stage.said("a", "finalized")
          yield* program.has({ key: "a", outcome: "RunnerLost" })
          assert.deepStrictEqual(yield* program.ended, { code: 143, signal: null })
          assert.deepStrictEqual(program.running, [])
        })
      )
  )

  it.live("runs the finalizers of its app at a normal end, at a failure, and at a signal", () =>
    Effect.forEach(
      [
        { finish: "end", code: 0, signal: undefined },
        { finish: "fail", code: 1, signal: undefined },
        { finish: "go on", code: 143, signal: "SIGTERM" }
      ] as const,
      ({ code, signal, finish }) =>
        leavesNothing(
          Effect.gen(function* () {
            const program = yield* start("parent-two.ts", { options: { ...options, min: 1, awaitMin: true }, finish })
            yield* program.has({ max: 2 })
            if (signal !== undefined) yield* program.kill(signal)
            assert.deepStrictEqual(yield* program.ended, { code, signal: null })
            assert.isTrue(existsSync(program.finalized))
            assert.deepStrictEqual(program.running, [])
          })
        ),
      { discard: true }
    )
  )

  it.live("builds app and pool in the parent only, services in its runners only, and the layer `around` in both", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-main.ts", { options, keys: ["a"] }, { FLAME_MAX: "1" })
        // A variable of the environment overrides the program's option.
        yield* program.has({ max: 1 })
        const { pid } = yield* program.stage.said("a", "started")
        assert.notStrictEqual(pid, program.pid)
        yield* program.has({ built: "Parent" })
        assert.match(program.output, /"built":"Runner"/)
        assert.match(program.output, /"services":"Runner"/)
        assert.isFalse(program.printed.some(({ services }) => services === "Parent"))
        assert.notInclude(program.output, '"max"')
        yield* program.stage.tell("a", "return")
        yield* program.stage.said("a-next", "started")
        yield* program.kill("SIGTERM")
        yield* program.stage.tell("a-next", "return")
        assert.deepStrictEqual(yield* program.ended, { code: 143, signal: null })
        assert.isTrue(existsSync(program.finalized))
      })
    )
  )
})

describe("a program under another runMain", () => {
  it.live("on SIGTERM interrupts its calls at once, waits for their finalizers, and leaves nothing", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-node.ts", { options, keys: ["a"], stubborn: true })
        yield* program.stage.said("a", "started")
        yield* program.kill("SIGTERM")
        yield* program.stage.said("a", "interrupted")
        yield* program.stage.tell("a", "let go")
        yield* program.stage.said("a", "finalized")
        yield* program.has({ key: "a", outcome: "interrupted" })
        const { code } = yield* program.ended
        assert.strictEqual(code, 130)
        assert.isTrue(existsSync(program.finalized))
        assert.deepStrictEqual(program.running, [])
      })
    )
  )
})

describe("a program that closes its pool", () => {
  it.live("[C59] [C89] exits by itself, because no timer, handle or process is left", () =>
    leavesNothing(
      Effect.gen(function* () {
        const program = yield* start("parent-plain.ts", { options })
        yield* program.has({ sum: 3 })
        assert.deepStrictEqual(yield* program.ended, { code: 0, signal: null })
        const { resources } = program.printed.at(-1) ?? {}
        // The stdout and stderr of the program itself.
        assert.deepStrictEqual(resources, ["PipeWrap", "PipeWrap"])
        assert.deepStrictEqual(program.running, [])
      })
    )
  )
})
