import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { InvalidPayload, QueueFull, RemoteDefect, TimedOut } from "../../../src/error/FlameError.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { census, isAlive } from "../../fixtures/conformance-process/census.ts"
import * as fns from "../../fixtures/conformance-process/functions.ts"
import { fixture, lateness, onPool, pids, reasonOf, timed } from "../../fixtures/conformance-process/harness.ts"

const { add, misfit, place, play, TooLong } = fns

/** The defect of an effect, which must die. */
const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<unknown, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const die = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isDieReason) : undefined
    assert.isDefined(die)
    return die.defect
  })

describe("a call on a child process", () => {
  it.live("[C2] returns the function's value", () =>
    onPool({}, ({ events }) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
        const { pid, ppid } = yield* Flame.call(place)
        assert.strictEqual(ppid, process.pid)
        assert.deepStrictEqual(pids(events), [pid])
      })
    )
  )

  it.live("[C16] whose function dies gets the remote stack, and the runner goes idle", () =>
    onPool({ entry: fixture("runner.ts"), idleTimeToLive: "200 millis" }, ({ events, stage }) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(defectOf(Flame.call(play, { key: "a" })))
        const { pid } = yield* stage.said("a", "started")
        yield* stage.tell("a", "die")
        const defect = yield* Fiber.join(call)
        assert.instanceOf(defect, RemoteDefect)
        assert.strictEqual(defect.remoteName, "TypeError")
        assert.include(defect.message, "the pen broke")
        // The stack is that of the runner, where the error was made, not that of the decoding.
        assert.match(defect.stack ?? "", /at brokenPen \(.*conformance-process\/functions\.ts:\d+:\d+\)/)
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
        const gone = yield* events.nth("RunnerGone")
        assert.strictEqual(gone.why, "idle")
        assert.deepInclude(gone.exit, { gone: true })
        assert.deepInclude(gone.exit.reason, { _tag: "Exited", code: 0 })
      })
    )
  )

  it.live("[C17] fails with an instance of its typed error's class, and the runner goes idle", () =>
    onPool({ idleTimeToLive: "200 millis" }, ({ events, stage }) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(Effect.flip(Flame.call(play, { key: "a" })))
        const { pid } = yield* stage.said("a", "started")
        yield* stage.tell("a", "fail")
        const error = yield* Fiber.join(call)
        assert.instanceOf(error, TooLong)
        assert.deepStrictEqual(error, new TooLong({ limit: 7, tags: ["a", "b"] }))
        assert.strictEqual(error.message, "longer than 7")
        assert.strictEqual((yield* Flame.call(place)).pid, pid)
        assert.strictEqual((yield* events.nth("RunnerGone")).why, "idle")
      })
    )
  )

  it.live("whose function interrupts itself dies, and the caller is not interrupted", () =>
    onPool({}, ({ stage }) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(defectOf(Flame.call(play, { key: "a" })))
        yield* stage.said("a", "started")
        yield* stage.tell("a", "interrupt")
        const defect = yield* Fiber.join(call)
        assert.instanceOf(defect, RemoteDefect)
        assert.include(defect.message, "the function interrupted itself")
      })
    )
  )

  it.live("[C18] that was cast and fails does not affect its caller, and is logged and counted", () =>
    onPool({}, ({ events, log, pool, stage }) =>
      Effect.gen(function* () {
        yield* Flame.cast(play, { key: "a" })
        yield* stage.said("a", "started")
        yield* stage.tell("a", "fail")
        const failed = yield* events.nth("CastFailed")
        assert.deepInclude(failed, { function: "play", message: "TooLong: longer than 7" })
        assert.strictEqual((yield* log.has(/a cast of play failed: TooLong: longer than 7/)).level, "Error")
        const { totals } = yield* pool.status
        assert.deepInclude(totals, { casts: 1, castsFailed: 1 })
      })
    )
  )

  it.live("[C19] that was cast has returned at once, runs, and ends normally", () =>
    onPool({}, ({ events, pool, stage }) =>
      Effect.gen(function* () {
        yield* Flame.cast(play, { key: "a" })
        // The cast returned before there was a runner.
        assert.deepInclude(yield* pool.status, { ready: 0, waiting: 1 })
        yield* stage.said("a", "started")
        yield* stage.tell("a", "return")
        yield* stage.said("a", "left")
        // Served after the cast, whose end has therefore been seen.
        yield* Flame.call(add, { a: 1, b: 1 })
        const { totals } = yield* pool.status
        assert.deepInclude(totals, { casts: 1, castsFailed: 0 })
        assert.deepStrictEqual(events.of("CastFailed"), [])
      })
    )
  )

  it.live("[C56] whose result arrives after its caller timed out is dropped, and not counted as a success", () =>
    onPool({ min: 1, awaitMin: true, cancelGrace: "5 seconds" }, ({ pool, stage }) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(reasonOf(Flame.call(play, { key: "a" }, { timeout: "2 seconds" })))
        yield* stage.said("a", "started")
        yield* stage.tell("a", "deaf")
        yield* stage.said("a", "deaf")
        const reason = yield* Fiber.join(call)
        assert.deepInclude(reason, { _tag: "TimedOut", phase: "running" })
        assert.deepInclude(yield* pool.status, { busySlots: 1 })
        // Waits for the slot, which is still taken.
        const next = yield* Effect.forkChild(Flame.call(add, { a: 20, b: 2 }))
        yield* stage.tell("a", "return")
        assert.strictEqual(yield* Fiber.join(next), 22)
        const { busySlots, totals } = yield* pool.status
        assert.strictEqual(busySlots, 0)
        assert.deepInclude(totals, { calls: 2, succeeded: 1, failed: 1 })
      })
    )
  )

  it.live("[C56] whose result arrives after its caller was interrupted is dropped, and not counted as a success", () =>
    onPool({ cancelGrace: "5 seconds" }, ({ pool, stage }) =>
      Effect.gen(function* () {
        const call = yield* Effect.forkChild(Flame.call(play, { key: "a" }))
        yield* stage.said("a", "started")
        yield* stage.tell("a", "deaf")
        yield* stage.said("a", "deaf")
        const interrupter = yield* Effect.forkChild(Fiber.interrupt(call), { startImmediately: true })
        yield* stage.tell("a", "return")
        yield* Fiber.join(interrupter)
        assert.isTrue(Exit.isFailure(call.pollUnsafe()!))
        assert.strictEqual(yield* Flame.call(add, { a: 20, b: 2 }), 22)
        assert.deepInclude((yield* pool.status).totals, { calls: 2, succeeded: 1 })
        assert.strictEqual((yield* pool.status).busySlots, 0)
      })
    )
  )

  it.live("[C62] with a payload that cannot cross fails as in memory, and boots no runner", () =>
    Effect.gen(function* () {
      const wrong = reasonOf(Flame.call(add, { a: 1.5, b: 2 }))
      const inMemory = yield* wrong.pipe(Effect.provide(FlameLayer.test(fns.all)))
      yield* onPool({}, ({ events }) =>
        Effect.gen(function* () {
          const before = census()
          const reason = yield* wrong
          assert.instanceOf(reason, InvalidPayload)
          assert.deepStrictEqual(reason, inMemory)
          assert.deepStrictEqual(events.seen, [])
          assert.deepStrictEqual(census(), before)
        })
      )
    })
  )

  it.live("[C62] with a result that cannot cross dies as in memory", () =>
    Effect.gen(function* () {
      const wrong = defectOf(Flame.call(misfit))
      const told = (defect: unknown) => {
        assert.instanceOf(defect, RemoteDefect)
        return { name: defect.remoteName, message: defect.message.replace(/on runner \S+ /, "") }
      }
      const inMemory = told(yield* wrong.pipe(Effect.provide(FlameLayer.test(fns.all))))
      yield* onPool({}, () =>
        Effect.gen(function* () {
          assert.deepStrictEqual(told(yield* wrong), inMemory)
          assert.match(inMemory.message, /integer/)
        })
      )
    })
  )

  it.live("[C85] that runs over its timeout ends at its timeout", () =>
    onPool({ min: 1, awaitMin: true }, ({ stage }) =>
      Effect.gen(function* () {
        const [reason, took] = yield* timed(reasonOf(Flame.call(play, { key: "a" }, { timeout: "1 second" })))
        yield* stage.said("a", "started")
        assert.instanceOf(reason, TimedOut)
        assert.deepInclude(reason, { phase: "running", after: 1000, function: "play" })
        assert.isAtLeast(took, 999)
        assert.isBelow(took, 1000 + lateness)
      })
    )
  )

  it.live("[C85] that waits, boots and runs over its timeout ends at its timeout", () =>
    onPool({ beforeBoot: () => Effect.sleep("500 millis") }, () =>
      Effect.gen(function* () {
        // Most of the timeout goes to the hook and the boot, and the rest to the function, if the machine is fast
        // enough.
        const [reason, took] = yield* timed(reasonOf(Flame.call(play, { key: "a" }, { timeout: "1200 millis" })))
        assert.instanceOf(reason, TimedOut)
        assert.strictEqual(reason.after, 1200)
        assert.include(["booting", "running"], reason.phase)
        assert.isAtLeast(took, 1199)
        assert.isBelow(took, 1200 + lateness)
      })
    )
  )

  it.live("[C85] that waits over its timeout in the queue, or for a first runner, ends at its timeout", () =>
    onPool({ entry: fixture("silent.ts") }, () =>
      Effect.gen(function* () {
        const [reason, took] = yield* timed(reasonOf(Flame.call(add, { a: 1, b: 1 }, { timeout: "200 millis" })))
        assert.deepInclude(reason, { _tag: "TimedOut", phase: "booting", after: 200 })
        assert.isAtLeast(took, 199)
        assert.isBelow(took, 200 + lateness)
      })
    ).pipe(
      Effect.andThen(
        onPool({ min: 1, awaitMin: true }, ({ stage }) =>
          Effect.gen(function* () {
            const call = yield* Effect.forkChild(Flame.call(play, { key: "a" }))
            yield* stage.said("a", "started")
            const [reason, took] = yield* timed(reasonOf(Flame.call(add, { a: 1, b: 1 }, { timeout: "200 millis" })))
            assert.deepInclude(reason, { _tag: "TimedOut", phase: "queued", after: 200 })
            assert.isBelow(took, 200 + lateness)
            yield* stage.tell("a", "return")
            yield* Fiber.join(call)
          })
        )
      )
    )
  )

  it.live("that exceeds the queue's capacity is refused at once", () =>
    onPool({ queueCapacity: 1, entry: fixture("silent.ts") }, () =>
      Effect.gen(function* () {
        yield* Effect.forkChild(Flame.call(add, { a: 1, b: 1 }), { startImmediately: true })
        const reason = yield* reasonOf(Flame.call(add, { a: 2, b: 2 }))
        assert.deepStrictEqual(
          reason,
          new QueueFull({ pool: "effect-flame/Pool", function: "add", waiting: 1, capacity: 1 })
        )
      })
    )
  )

  it.live("leaves no process when many calls end at once", () =>
    onPool({ max: 2, concurrency: 50 }, ({ events }) =>
      Effect.gen(function* () {
        const sums = yield* Effect.forEach(
          Array.from({ length: 500 }, (_, i) => i),
          (i) => Flame.call(add, { a: i, b: i }),
          {
            concurrency: "unbounded"
          }
        )
        assert.deepStrictEqual(
          sums,
          Array.from({ length: 500 }, (_, i) => 2 * i)
        )
        assert.isTrue(pids(events).every(isAlive))
      })
    )
  )
})
