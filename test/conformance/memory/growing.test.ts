import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BeforeBootFailed } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { TimedOut } from "../../../src/error/FlameError.ts"
import type { BootOutcome } from "../../../src/pool/option/PoolOptions.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { twice, where, work } from "./functions.ts"
import { finish, isOpen, long, only, pass, poolTest, reason, settle, started, value, waiting } from "./harness.ts"

describe("a pool that grows", () => {
  poolTest(
    "[C1] has one runner ready when awaitMin is done",
    { min: 1, awaitMin: true },
    function* ({ pool, runners }) {
      // No turn of the event loop has passed since the layer was built.
      const { booting, ready } = yield* pool.status
      assert.deepStrictEqual({ ready, booting }, { ready: 1, booting: 0 })
      assert.deepStrictEqual(runners, { now: 1, peak: 1 })
    }
  )

  const slower = new Map<string, number>()
  poolTest(
    "[C1] waits for exactly min runners with awaitMin",
    {
      min: 3,
      max: 4,
      awaitMin: true,
      beforeBoot: (runner) =>
        Effect.suspend(() => Effect.repeat(Effect.yieldNow, { times: 20 * slower.set(runner, 0).size }))
    },
    function* ({ pool, runners }) {
      assert.strictEqual((yield* pool.status).ready, 3)
      assert.deepStrictEqual(runners, { now: 3, peak: 3 })
    }
  )

  poolTest(
    "[C1] boots its min runners concurrently",
    { min: 3, before: (faults) => faults.delayBoots("1 second") },
    function* ({ pool }) {
      yield* settle
      assert.strictEqual((yield* pool.status).booting, 3)
      yield* pass("1 second")
      assert.strictEqual((yield* pool.status).ready, 3)
    }
  )

  poolTest("[C2] returns the function's value to the caller", {}, function* ({ runners }) {
    assert.strictEqual(yield* Flame.call(twice, { n: 21 }), 42)
    assert.deepStrictEqual(runners, { now: 1, peak: 1 })
  })

  poolTest("[C2] returns its own value to each of many callers", { max: 3, concurrency: 4 }, function* ({ runners }) {
    const values = yield* Effect.forEach(
      Array.from({ length: 500 }, (_, n) => n),
      (n) => Flame.call(twice, { n }),
      {
        concurrency: "unbounded"
      }
    )
    assert.deepStrictEqual(
      values,
      values.map((_, n) => 2 * n)
    )
    yield* settle
    assert.strictEqual(runners.peak, 3)
  })

  poolTest(
    "[C3] runs a second call on the runner that has one long call",
    { min: 1, max: 2, concurrency: 2 },
    function* ({ runners }) {
      yield* settle
      const a = yield* long("a")
      const [first] = yield* Effect.all([started("a"), Flame.call(twice, { n: 1 })])
      assert.strictEqual(yield* Flame.call(where), first)
      assert.deepStrictEqual(runners, { now: 1, peak: 1 })
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
    }
  )

  poolTest(
    "[C4] boots a second runner for the call beyond two long ones",
    { min: 1, max: 2, concurrency: 2 },
    function* ({ board, runners }) {
      yield* settle
      yield* long("a")
      yield* long("b")
      assert.strictEqual(runners.now, 1)
      assert.strictEqual(yield* Flame.call(twice, { n: 2 }), 4)
      assert.deepStrictEqual(runners, { now: 2, peak: 2 })
      assert.strictEqual(board.busiest, 2)
    }
  )

  poolTest(
    "[C5] fails a call with TimedOut(queued) at its timeout, while four long calls have all slots",
    { min: 1, max: 2, concurrency: 2 },
    function* ({ board, pool, runners }) {
      for (const name of ["a", "b", "c", "d"]) yield* long(name)
      const late = yield* waiting("late", { timeout: "1 second" })
      yield* pass(999)
      yield* isOpen(late)
      assert.strictEqual((yield* pool.status).waiting, 1)
      yield* pass(1)
      assert.deepStrictEqual(
        yield* reason(late),
        new TimedOut({ pool: Pool.key, function: "work", phase: "queued", after: 1_000 })
      )
      assert.strictEqual((yield* pool.status).waiting, 0)
      assert.deepStrictEqual(board.order, ["a", "b", "c", "d"])
      assert.deepStrictEqual(runners, { now: 2, peak: 2 })
    }
  )

  poolTest(
    "[C6] runs a call without timeout when a slot frees, on the same two runners",
    { min: 1, max: 2, concurrency: 2 },
    function* ({ board, faults, runners }) {
      for (const name of ["a", "b", "c", "d"]) yield* long(name)
      const timed = yield* waiting("timed", { timeout: "1 second" })
      const patient = yield* waiting("patient")
      yield* pass("1 minute")
      yield* reason(timed)
      yield* isOpen(patient)
      const freed = yield* started("c")
      yield* finish("c", "patient")
      assert.strictEqual(yield* value(patient), "patient")
      assert.deepStrictEqual(board.starts.at(-1), ["patient", freed])
      assert.strictEqual(yield* faults.launched, 2)
      assert.deepStrictEqual(runners, { now: 2, peak: 2 })
      assert.strictEqual(board.busiest, 2)
    }
  )

  poolTest(
    "[C7] serves two first calls by one boot",
    { max: 1, concurrency: 2, before: (faults) => faults.delayBoots("3 seconds") },
    function* ({ board, faults }) {
      const a = yield* waiting("a")
      const b = yield* waiting("b")
      yield* pass("2 seconds")
      assert.deepStrictEqual(board.order, [])
      yield* pass("1 second")
      assert.strictEqual(yield* started("a"), yield* started("b"))
      assert.strictEqual(yield* faults.launched, 1)
      yield* finish("a", "b")
      assert.deepStrictEqual([yield* value(a), yield* value(b)], ["a", "b"])
    }
  )
})

describe("a boot whose beforeBoot fails once (max 2, concurrency 1)", () => {
  const failsOnce = () => {
    let attempts = 0
    const outcomes: Array<BootOutcome> = []
    return {
      outcomes,
      setup: {
        max: 2,
        beforeBoot: () => Effect.suspend(() => (++attempts === 1 ? Effect.fail(new Error("no licence")) : Effect.void)),
        afterBoot: (outcome: BootOutcome) => Effect.sync(() => outcomes.push(outcome))
      }
    }
  }

  const first = failsOnce()
  poolTest("[C8] leaves a cast waiting and not run", first.setup, function* ({ board, pool }) {
    yield* Flame.cast(work, { name: "cast" })
    yield* settle
    assert.deepStrictEqual(board.order, [])
    const { booting, ready, waiting } = yield* pool.status
    assert.deepStrictEqual({ booting, ready, waiting }, { booting: 0, ready: 0, waiting: 1 })
    yield* pass("2 seconds")
    yield* finish("cast")
  })

  const second = failsOnce()
  poolTest(
    "[C9] is reported with its cause and the pool's size, as an event and to afterBoot",
    second.setup,
    function* ({ events, logs }) {
      yield* Flame.cast(work, { name: "cast" })
      yield* settle
      const cause = new BeforeBootFailed({ detail: "Error: no licence" })
      const [begun] = only(events, "BootStarted")
      assert.deepStrictEqual(only(events, "BootFailed"), [
        { _tag: "BootFailed", pool: Pool.key, runner: begun!.runner, cause, transient: true, runners: 0 }
      ])
      assert.deepStrictEqual(second.outcomes, [{ pool: Pool.key, runner: begun!.runner, failure: cause, took: 0 }])
      assert.include(logs.join("\n"), "did not boot: the beforeBoot hook failed: Error: no licence")
      yield* pass("2 seconds")
      assert.deepStrictEqual(
        second.outcomes.map(({ failure }) => failure),
        [cause, undefined]
      )
      yield* finish("cast")
    }
  )

  const third = failsOnce()
  poolTest(
    "[C10] [C11] is retried without a new call; then the waiting cast runs, and a further call",
    third.setup,
    function* ({ board, events, faults }) {
      yield* Flame.cast(work, { name: "cast" })
      yield* pass("999 millis")
      assert.lengthOf(only(events, "BootStarted"), 1)
      yield* pass("1001 millis")
      assert.deepStrictEqual(board.order, ["cast"])
      assert.strictEqual(yield* Flame.call(twice, { n: 4 }), 8)
      yield* finish("cast")
      assert.strictEqual(yield* faults.launched, 2)
      assert.lengthOf(only(events, "BootFailed"), 1)
    }
  )
})

describe("a pool that shrinks", () => {
  const burst = { min: 1, max: 2, concurrency: 2, idleTimeToLive: "500 millis" } as const

  poolTest(
    "[C12] ends the surplus runner of a burst when it is idle, with the reason idle",
    burst,
    function* ({ events, runners }) {
      for (const name of ["a", "b", "c", "d"]) yield* long(name)
      yield* pass("10 seconds")
      assert.strictEqual(runners.now, 2)
      yield* finish("a", "b", "c", "d")
      yield* pass("499 millis")
      assert.strictEqual(runners.now, 2)
      yield* pass("1 millis")
      assert.strictEqual(runners.now, 1)
      const [draining] = only(events, "RunnerDraining")
      const [gone] = only(events, "RunnerGone")
      assert.strictEqual(draining?.why, "idle")
      assert.strictEqual(gone?.why, "idle")
      assert.strictEqual(gone?.runner, draining?.runner)
      assert.strictEqual(gone?.exit.gone, true)
    }
  )

  poolTest("[C13] keeps the min runner", burst, function* ({ events, runners }) {
    for (const name of ["a", "b", "c"]) yield* long(name)
    yield* finish("a", "b", "c")
    yield* pass("1 hour")
    assert.deepStrictEqual(runners, { now: 1, peak: 2 })
    assert.lengthOf(only(events, "BootStarted"), 2)
    assert.lengthOf(only(events, "RunnerGone"), 1)
  })

  poolTest("[C14] runs three casts by exactly two boots", { max: 2, concurrency: 1 }, function* ({ board, faults }) {
    for (const name of ["a", "b", "c"]) yield* Flame.cast(work, { name })
    yield* settle
    assert.deepStrictEqual(board.order, ["a", "b"])
    yield* finish("a", "b", "c")
    assert.deepStrictEqual(board.order, ["a", "b", "c"])
    assert.strictEqual(yield* faults.launched, 2)
    yield* pass("1 hour")
    assert.strictEqual(yield* faults.launched, 2)
  })
})
