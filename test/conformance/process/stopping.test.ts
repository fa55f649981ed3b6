import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import type { RunnerLost } from "../../../src/error/FlameError.ts"
import { Exited, Killed } from "../../../src/error/RunnerExit.ts"
import { children, isAlive } from "../../fixtures/conformance-process/census.ts"
import { add, place, play } from "../../fixtures/conformance-process/functions.ts"
import { begin, lateness, onPool, reasonOf, timed } from "../../fixtures/conformance-process/harness.ts"

describe("a call on a child process that is stopped", () => {
  it.live(
    "[C24] at its timeout with `maxCalls: 1` fails with TimedOut at once, and its runner is gone within `cancelGrace`",
    () =>
      onPool({ min: 1, awaitMin: true, max: 1, maxCalls: 1, drainTimeout: "1 minute" }, ({ events, stage }) =>
        Effect.gen(function* () {
          const [reason, took] = yield* timed(reasonOf(Flame.call(play, { key: "a" }, { timeout: "1 second" })))
          const { pid } = yield* stage.said("a", "started")
          const at = performance.now()
          assert.deepInclude(reason, { _tag: "TimedOut", phase: "running", after: 1000 })
          assert.isBelow(took, 1000 + lateness)
          yield* stage.said("a", "finalized")
          const gone = yield* events.nth("RunnerGone")
          assert.isBelow(events.at(gone) - at, 1000 + lateness)
          assert.strictEqual(gone.why, "maxCalls")
          assert.isFalse(isAlive(pid))
        })
      )
  )

  it.live("[C25] at its timeout fails with TimedOut at once, its work stops, and its runner serves on", () =>
    onPool({ min: 1, awaitMin: true }, ({ events, stage }) =>
      Effect.gen(function* () {
        const [reason, took] = yield* timed(reasonOf(Flame.call(play, { key: "a" }, { timeout: "1 second" })))
        const { pid } = yield* stage.said("a", "started")
        assert.deepInclude(reason, { _tag: "TimedOut", phase: "running", after: 1000 })
        assert.isBelow(took, 1000 + lateness)
        yield* stage.said("a", "finalized")
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
        assert.deepStrictEqual(events.of("RunnerDraining"), [])
      })
    )
  )

  it.live("by an interruption is interrupted on its runner, and its caller waits for its finalizers there", () =>
    onPool({ cancelGrace: "10 seconds" }, (scene) =>
      Effect.gen(function* () {
        const { fiber, pid } = yield* begin(scene, "a", { stubborn: true })
        const interrupter = yield* Effect.forkScoped(Fiber.interrupt(fiber), { startImmediately: true })
        yield* scene.stage.said("a", "interrupted")
        assert.isUndefined(fiber.pollUnsafe())
        assert.deepInclude(yield* scene.pool.status, { busySlots: 1 })
        yield* scene.stage.tell("a", "let go")
        yield* Fiber.join(interrupter)
        yield* scene.stage.said("a", "finalized")
        assert.deepInclude(yield* scene.pool.status, { busySlots: 0 })
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
      })
    )
  )

  it.live("by a surrounding timeout or race is stopped in the same way", () =>
    onPool({}, ({ stage }) =>
      Effect.gen(function* () {
        const outcome = yield* Effect.raceFirst(
          Flame.call(play, { key: "a" }),
          Effect.as(stage.said("a", "started"), "the other")
        )
        assert.strictEqual(outcome, "the other")
        // The race has ended, so the function's finalizers have run.
        assert.isTrue(stage.lines.some(({ what }) => what === "finalized"))
      })
    )
  )

  it.live("before it was sent leaves nothing behind", () =>
    onPool({}, (scene) =>
      Effect.gen(function* () {
        const first = yield* begin(scene, "a")
        const waiter = yield* Effect.forkScoped(Flame.call(play, { key: "b" }), { startImmediately: true })
        yield* Fiber.interrupt(waiter)
        assert.deepInclude(yield* scene.pool.status, { waiting: 0, busySlots: 1 })
        yield* first.end
        yield* Flame.call(add, { a: 1, b: 1 })
        assert.isFalse(scene.stage.lines.some(({ key }) => key === "b"))
      })
    )
  )

  it.live("[C88] and blocks the event loop of its runner has that runner killed and replaced after `cancelGrace`", () =>
    onPool({ min: 1, awaitMin: true, concurrency: 2, cancelGrace: "300 millis" }, (scene) =>
      Effect.gen(function* () {
        const neighbour = yield* begin(scene, "b")
        const stuck = yield* begin(scene, "a")
        assert.strictEqual(neighbour.pid, stuck.pid)
        yield* scene.stage.tell("a", "block /never")
        yield* scene.stage.said("a", "blocking")
        const [, took] = yield* timed(Fiber.interrupt(stuck.fiber))
        assert.isAtLeast(took, 299)
        assert.isBelow(took, 300 + lateness)
        const { exit, gone } = (yield* reasonOf(Fiber.join(neighbour.fiber))) as RunnerLost
        assert.deepStrictEqual(exit, new Killed({ signal: "SIGKILL", by: "stuck call play" }))
        assert.isTrue(gone)
        const told = yield* scene.events.nth("RunnerStuck")
        assert.deepInclude(told, { function: "play" })
        assert.strictEqual((yield* scene.events.nth("RunnerGone")).why, "stuck")
        assert.isFalse(isAlive(stuck.pid))
        // The pool boots for `min`, without a call.
        const ready = yield* scene.events.nth("RunnerReady")
        assert.strictEqual((yield* Flame.call(place)).pid, Number(ready.labels["pid"]))
      })
    )
  )

  it.live(
    "[C88] and does not stop while the event loop answers lets the other calls finish, then costs its runner",
    () =>
      onPool({ concurrency: 2, max: 2, cancelGrace: "300 millis" }, (scene) =>
        Effect.gen(function* () {
          const neighbour = yield* begin(scene, "b")
          const stuck = yield* begin(scene, "a", { stubborn: true })
          assert.strictEqual(neighbour.pid, stuck.pid)
          const [, took] = yield* timed(Fiber.interrupt(stuck.fiber))
          assert.isAtLeast(took, 299)
          assert.isBelow(took, 300 + lateness)
          yield* scene.events.nth("RunnerStuck")
          // The runner gets no new calls.
          const elsewhere = yield* begin(scene, "c")
          assert.notStrictEqual(elsewhere.pid, stuck.pid)
          assert.isUndefined(neighbour.fiber.pollUnsafe())
          assert.strictEqual(yield* neighbour.end, stuck.pid)
          const gone = yield* scene.events.nth("RunnerGone")
          assert.strictEqual(gone.why, "stuck")
          assert.deepStrictEqual(gone.exit.reason, new Killed({ signal: "SIGKILL", by: "stuck call play" }))
          yield* elsewhere.end
        })
      )
  )

  it.live("[C88] and stops late, with other calls running, leaves its runner to finish those and end by itself", () =>
    onPool({ concurrency: 2, max: 2, cancelGrace: "300 millis" }, (scene) =>
      Effect.gen(function* () {
        const neighbour = yield* begin(scene, "b")
        const stuck = yield* begin(scene, "a", { stubborn: true })
        yield* Fiber.interrupt(stuck.fiber)
        yield* scene.events.nth("RunnerStuck")
        yield* scene.stage.tell("a", "let go")
        yield* scene.stage.said("a", "finalized")
        assert.strictEqual(yield* neighbour.end, stuck.pid)
        const gone = yield* scene.events.nth("RunnerGone")
        assert.strictEqual(gone.why, "stuck")
        assert.deepStrictEqual(gone.exit.reason, new Exited({ code: 0 }))
      })
    )
  )

  it.live("[C88] by its timeout and does not stop costs its runner as well", () =>
    onPool({ min: 1, awaitMin: true, cancelGrace: "300 millis" }, (scene) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkScoped(reasonOf(Flame.call(play, { key: "a" }, { timeout: "2 seconds" })))
        const { pid } = yield* scene.stage.said("a", "started")
        yield* scene.stage.tell("a", "block /never")
        assert.deepInclude(yield* Fiber.join(call), { _tag: "TimedOut", phase: "running" })
        const gone = yield* scene.events.nth("RunnerGone")
        assert.deepStrictEqual(gone.exit.reason, new Killed({ signal: "SIGKILL", by: "stuck call play" }))
        assert.notStrictEqual((yield* Flame.call(place)).pid, pid)
      })
    )
  )

  it.live("unblocks within `cancelGrace`: it is stopped then, and its runner stays", () =>
    onPool({ cancelGrace: "10 seconds" }, (scene) =>
      Effect.gen(function* () {
        const { fiber, pid } = yield* begin(scene, "a")
        yield* scene.stage.tell("a", `block ${scene.stage.gate}`)
        yield* scene.stage.said("a", "blocking")
        const interrupter = yield* Effect.forkScoped(Fiber.interrupt(fiber), { startImmediately: true })
        yield* scene.stage.open
        yield* Fiber.join(interrupter)
        yield* scene.stage.said("a", "finalized")
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
      })
    )
  )
})

describe("a pool of child processes that closes", () => {
  it.live("[C59] lets calls in flight end within `drainTimeout`, and leaves nothing behind", () =>
    onPool({ max: 2, drainTimeout: "10 seconds" }, (scene) =>
      Effect.gen(function* () {
        const calls = [yield* begin(scene, "a"), yield* begin(scene, "b")]
        const waiter = yield* Effect.forkScoped(reasonOf(Flame.call(add, { a: 1, b: 1 })), { startImmediately: true })
        const closing = yield* Effect.forkScoped(scene.close, { startImmediately: true })
        // Waiting calls fail at once, and so do new calls.
        assert.deepInclude(yield* Fiber.join(waiter), { _tag: "PoolClosed", function: "add" })
        assert.deepInclude(yield* reasonOf(Flame.call(add, { a: 1, b: 1 })), { _tag: "PoolClosed" })
        assert.isUndefined(closing.pollUnsafe())
        for (const { end, pid } of calls) assert.strictEqual(yield* end, pid)
        yield* Fiber.join(closing)
        assert.deepStrictEqual(children(), [])
        assert.deepStrictEqual(
          calls.map(({ pid }) => isAlive(pid)),
          [false, false]
        )
      })
    )
  )

  it.live("[C59] interrupts calls that do not end within `drainTimeout`, and waits for their finalizers", () =>
    onPool({ drainTimeout: "200 millis" }, (scene) =>
      Effect.gen(function* () {
        const { fiber } = yield* begin(scene, "a")
        const [, took] = yield* timed(scene.close)
        assert.isAtLeast(took, 199)
        assert.isTrue(scene.stage.lines.some(({ what }) => what === "finalized"))
        assert.deepInclude(yield* reasonOf(Fiber.join(fiber)), { _tag: "RunnerLost", mayHaveRun: true })
        assert.deepStrictEqual(children(), [])
      })
    )
  )

  it.live("[C59] [C89] ends runners that compute without pause, within drainTimeout + cancelGrace", () =>
    onPool({ drainTimeout: "200 millis", cancelGrace: "200 millis" }, (scene) =>
      Effect.gen(function* () {
        const { fiber } = yield* begin(scene, "a")
        yield* scene.stage.tell("a", "block /never")
        yield* scene.stage.said("a", "blocking")
        const [, took] = yield* timed(scene.close)
        // The time that the pool allows for a goodbye comes on top of both.
        assert.isBelow(took, 400 + 1000 + lateness)
        assert.deepInclude(yield* reasonOf(Fiber.join(fiber)), { _tag: "RunnerLost" })
        assert.deepStrictEqual(children(), [])
      })
    )
  )

  it.live("[C59] does not wait for `drainTimeout` when an idle runner does not answer", () =>
    onPool({ drainTimeout: "1 minute", cancelGrace: "200 millis" }, (scene) =>
      Effect.gen(function* () {
        const { pid } = yield* Flame.call(place)
        process.kill(pid, "SIGSTOP")
        const [, took] = yield* timed(scene.close)
        assert.isBelow(took, 200 + 1000 + 200 + lateness)
        assert.deepStrictEqual(children(), [])
      })
    )
  )

  it.live("[C59] runs waiting casts on the slots that exist", () =>
    onPool({}, (scene) =>
      Effect.gen(function* () {
        const first = yield* begin(scene, "a")
        yield* Flame.cast(play, { key: "b" })
        const closing = yield* Effect.forkScoped(scene.close, { startImmediately: true })
        yield* first.end
        yield* scene.stage.said("b", "started")
        yield* scene.stage.tell("b", "return")
        yield* Fiber.join(closing)
        assert.deepStrictEqual(scene.events.of("CastFailed"), [])
      })
    )
  )

  it.live("[C59] gives boots up, and leaves nothing of them", () =>
    onPool({ max: 3, min: 3 }, (scene) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* scene.pool.status).booting, 3)
        yield* scene.close
        assert.deepStrictEqual(children(), [])
      })
    )
  )
})
