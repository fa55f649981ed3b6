import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { EntryMissing, Forbidden } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { BootFailed, FlameError, RemoteDefect, RunnerLost, TimedOut } from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { Killed } from "../../../src/error/RunnerExit.ts"
import { die, mayGo, Refusal, refuse, tidy, twice, where, work } from "./functions.ts"
import {
  finish,
  isOpen,
  long,
  only,
  pass,
  poolTest,
  reason,
  settle,
  start,
  started,
  until,
  value,
  waiting
} from "./harness.ts"

const idle = { idleTimeToLive: "30 seconds" } as const

describe("calls, casts and idle runners", () => {
  poolTest(
    "[C15] a call whose runner is killed fails with RunnerLost(mayHaveRun: true), and the pool serves on",
    {},
    function* ({ board, faults }) {
      const a = yield* long("a")
      const runner = yield* started("a")
      yield* faults.lose()
      assert.deepStrictEqual(
        yield* reason(a),
        new RunnerLost({
          pool: Pool.key,
          function: "work",
          runner,
          exit: new Killed({ signal: "SIGKILL" }),
          mayHaveRun: true,
          gone: true
        })
      )
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      assert.deepStrictEqual(board.order, ["a"])
    }
  )

  poolTest(
    "[C16] a call whose function dies fails with RemoteDefect and the remote stack, and its runner goes idle",
    idle,
    function* ({ events, faults, runners }) {
      const exit = yield* Effect.exit(Flame.call(die, { why: "out of range" }))
      const died = Exit.isFailure(exit) ? exit.cause.reasons : []
      assert.lengthOf(died, 1)
      const defect = died[0]?._tag === "Die" ? died[0].defect : undefined
      if (!(defect instanceof RemoteDefect)) return assert.fail(`it died with ${String(defect)}`)
      const { id } = (yield* faults.list)[0]!
      assert.strictEqual(defect.message, `die died on runner ${id} with RangeError: out of range`)
      assert.deepStrictEqual([defect.function, defect.runner, defect.remoteName], ["die", id, "RangeError"])
      assert.match(defect.stack!, /RangeError: out of range\n\s+at .*functions\.ts/)
      assert.strictEqual(yield* Flame.call(where), id)
      yield* pass("30 seconds")
      assert.strictEqual(only(events, "RunnerGone")[0]?.why, "idle")
      assert.deepStrictEqual(runners, { now: 0, peak: 1 })
    }
  )

  poolTest(
    "[C17] a call fails with an instance of its typed error's class, and its runner goes idle",
    idle,
    function* ({ events, faults, runners }) {
      const error = yield* Effect.flip(Flame.call(refuse, { why: "too long" }))
      assert.instanceOf(error, Refusal)
      assert.deepStrictEqual(error, new Refusal({ why: "too long" }))
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      assert.strictEqual(yield* faults.launched, 1)
      yield* pass("30 seconds")
      assert.strictEqual(only(events, "RunnerGone")[0]?.why, "idle")
      assert.strictEqual(runners.now, 0)
    }
  )

  poolTest(
    "[C18] a cast that fails does not affect its caller, and is logged, counted and reported as an event",
    {},
    function* ({ events, logs, pool }) {
      yield* Flame.cast(refuse, { why: "too long" })
      yield* Flame.cast(die, { why: "out of range" })
      yield* Flame.cast(twice, { n: 1 })
      yield* settle
      const failed = only(events, "CastFailed")
      assert.deepStrictEqual(
        failed.map((_) => [_.pool, _.function]),
        [
          [Pool.key, "refuse"],
          [Pool.key, "die"]
        ]
      )
      assert.include(failed[0]?.message, "test/Refusal")
      assert.match(failed[1]!.message, /^RemoteDefect: die died on runner .* with RangeError: out of range$/)
      const errors = logs.filter((line) => line.startsWith("Error"))
      assert.lengthOf(errors, 2)
      assert.include(errors[0], "a cast of refuse failed")
      assert.include(errors[1], "a cast of die failed")
      const { totals } = yield* pool.status
      assert.deepInclude(totals, { calls: 3, casts: 3, castsFailed: 2, failed: 2, succeeded: 1 })
    }
  )

  poolTest(
    "[C18] a cast that times out or loses its runner is reported as an event",
    {},
    function* ({ events, faults }) {
      yield* Flame.cast(work, { name: "slow" }, { timeout: "1 second" })
      yield* started("slow")
      yield* pass("1 second")
      yield* Flame.cast(work, { name: "lost" })
      yield* started("lost")
      yield* faults.lose()
      yield* settle
      const told = only(events, "CastFailed").map(({ message }) => message)
      assert.lengthOf(told, 2)
      assert.include(told[0], "work took longer than its 1000 ms")
      assert.include(told[1], "was lost with work")
    }
  )

  poolTest(
    "[C19] a cast returns to its caller at once, and its function runs to its end",
    { before: (faults) => faults.delayBoots("5 seconds") },
    function* ({ board, pool }) {
      const cast = yield* start(Flame.cast(work, { name: "a" }))
      assert.isDefined(cast.pollUnsafe())
      yield* pass("5 seconds")
      yield* started("a")
      yield* finish("a")
      assert.deepStrictEqual(board.interrupted, [])
      assert.deepInclude((yield* pool.status).totals, { casts: 1, castsFailed: 0, succeeded: 1 })
    }
  )

  poolTest("[C19] a cast goes on when the fiber that made it ends", {}, function* ({ board }) {
    yield* Fiber.join(yield* Effect.forkChild(Flame.cast(work, { name: "a" })))
    yield* started("a")
    yield* finish("a")
    assert.deepStrictEqual([board.order, board.interrupted], [["a"], []])
  })

  poolTest(
    "[C20] casts beyond the free slots wait in the queue, and all run",
    { max: 1, concurrency: 2 },
    function* ({ board, faults, pool }) {
      const names = Array.from({ length: 20 }, (_, i) => `cast ${i}`)
      for (const name of names) yield* Flame.cast(work, { name })
      yield* settle
      assert.strictEqual((yield* pool.status).waiting, 18)
      yield* finish(...names)
      assert.deepStrictEqual(board.order, names)
      assert.strictEqual(board.busiest, 2)
      assert.strictEqual(yield* faults.launched, 1)
      assert.strictEqual((yield* pool.status).totals.succeeded, 20)
    }
  )

  poolTest("[C21] a successful call with maxCalls 1 ends its runner", { maxCalls: 1 }, function* ({ events, runners }) {
    assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
    yield* settle
    assert.strictEqual(runners.now, 0)
    assert.deepStrictEqual(
      only(events, "RunnerGone").map(({ why }) => why),
      ["maxCalls"]
    )
  })

  poolTest(
    "[C22] a failing call with maxCalls 1 ends its runner, but not its pool",
    { maxCalls: 1 },
    function* ({ faults, runners }) {
      yield* Effect.flip(Flame.call(refuse, { why: "too long" }))
      yield* settle
      assert.strictEqual(runners.now, 0)
      yield* Effect.exit(Flame.call(die, { why: "out of range" }))
      yield* settle
      assert.strictEqual(runners.now, 0)
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      assert.strictEqual(yield* faults.launched, 3)
    }
  )

  poolTest("[C23] a failing call leaves its runner to the next call", {}, function* ({ faults }) {
    const first = yield* Flame.call(where)
    yield* Effect.flip(Flame.call(refuse, { why: "too long" }))
    yield* Effect.exit(Flame.call(die, { why: "out of range" }))
    assert.strictEqual(yield* Flame.call(where), first)
    assert.strictEqual(yield* faults.launched, 1)
  })

  poolTest(
    "[C24] a call that times out with maxCalls 1 is stopped on its runner, and the runner ends",
    { maxCalls: 1 },
    function* ({ board, events, runners }) {
      const a = yield* start(Flame.call(tidy, { name: "a" }, { timeout: "2 seconds" }))
      const runner = yield* started("a")
      yield* pass("1999 millis")
      yield* isOpen(a)
      yield* pass("1 millis")
      assert.deepStrictEqual(
        yield* reason(a),
        new TimedOut({ pool: Pool.key, function: "tidy", runner, phase: "running", after: 2_000 })
      )
      yield* pass("4 seconds")
      assert.strictEqual(board.running.get("a"), runner)
      assert.strictEqual(runners.now, 1)
      yield* finish("a")
      assert.isFalse(board.running.has("a"))
      assert.strictEqual(runners.now, 0)
      assert.strictEqual(only(events, "RunnerGone")[0]?.why, "maxCalls")
    }
  )

  poolTest(
    "[C25] a call that times out is stopped on its runner, which stays and serves",
    {},
    function* ({ board, faults, pool }) {
      const a = yield* long("a", { timeout: "2 seconds" })
      const runner = yield* started("a")
      yield* pass("2 seconds")
      assert.deepStrictEqual(
        yield* reason(a),
        new TimedOut({ pool: Pool.key, function: "work", runner, phase: "running", after: 2_000 })
      )
      assert.deepStrictEqual(board.interrupted, ["a"])
      assert.strictEqual((yield* pool.status).busySlots, 0)
      assert.strictEqual(yield* Flame.call(where), runner)
      assert.strictEqual(yield* faults.launched, 1)
    }
  )

  poolTest(
    "[C25] a call that times out keeps its slot until its finalizers have run",
    { max: 1 },
    function* ({ board, pool }) {
      const a = yield* start(Flame.call(tidy, { name: "a" }, { timeout: "2 seconds" }))
      yield* started("a")
      const b = yield* waiting("b")
      yield* pass("2 seconds")
      assert.strictEqual((yield* reason(a))._tag, "TimedOut")
      yield* pass("4 seconds")
      assert.deepInclude(yield* pool.status, { busySlots: 1, waiting: 1 })
      assert.deepStrictEqual(board.order, ["a"])
      yield* finish("a")
      yield* started("b")
      yield* finish("b")
      assert.strictEqual(yield* value(b), "b")
    }
  )

  poolTest(
    "[C26] a call fails with BootFailed and the cause when the backend refuses to launch",
    {},
    function* ({ events, faults, runners }) {
      const cause = new Forbidden({ verb: "create", resource: "pods", detail: "no role" })
      yield* faults.failBoots(cause)
      const error = yield* Effect.flip(Flame.call(twice, { n: 1 }))
      assert.deepStrictEqual(error, new FlameError({ reason: new BootFailed({ pool: Pool.key, attempts: 1, cause }) }))
      assert.isFalse(Flame.isRetryable(error))
      yield* settle
      assert.strictEqual(runners.now, 0)
      assert.deepInclude(only(events, "BootFailed")[0], { cause, transient: false, runners: 0 })
    }
  )

  poolTest(
    "[C26] [C103] a call made after a failed boot waits for the next boot, because the cause may have healed",
    {},
    function* ({ faults }) {
      const cause = new EntryMissing({ entry: "/app/runner.ts" })
      yield* faults.failBoots(cause)
      yield* Effect.flip(Flame.call(twice, { n: 1 }))
      const second = yield* start(Flame.call(twice, { n: 1 }))
      yield* isOpen(second)
      assert.strictEqual(yield* faults.launched, 1)
      yield* pass("2 seconds")
      assert.strictEqual(yield* value(second), 2)
      assert.strictEqual(yield* faults.launched, 2)
    }
  )

  poolTest(
    "[C27] a booted runner without calls ends after idleTimeToLive",
    { ...idle, beforeBoot: () => Effect.sleep("5 seconds") },
    function* ({ events, runners }) {
      const a = yield* waiting("a")
      yield* Fiber.interrupt(a)
      yield* pass("5 seconds")
      assert.lengthOf(only(events, "RunnerReady"), 1)
      yield* pass("29999 millis")
      assert.strictEqual(runners.now, 1)
      yield* pass("1 millis")
      assert.strictEqual(runners.now, 0)
      assert.strictEqual(only(events, "RunnerGone")[0]?.why, "idle")
    }
  )

  poolTest("[C28] a runner ends idleTimeToLive after its last call", idle, function* ({ events, runners }) {
    yield* Flame.call(twice, { n: 1 })
    yield* pass("20 seconds")
    yield* Flame.call(twice, { n: 1 })
    yield* pass("29999 millis")
    assert.strictEqual(runners.now, 1)
    yield* pass("1 millis")
    assert.strictEqual(runners.now, 0)
    assert.strictEqual(only(events, "RunnerGone")[0]?.why, "idle")
  })

  poolTest("[C28] a runner with a long call does not count as idle", idle, function* ({ runners }) {
    const a = yield* long("a")
    yield* pass("1 hour")
    assert.strictEqual(runners.now, 1)
    yield* finish("a")
    assert.strictEqual(yield* value(a), "a")
  })

  poolTest(
    "[C29] a runner stays idle for as long as idleWhen answers false",
    { ...idle, idleWhen: mayGo },
    function* ({ board, pool, runners }) {
      board.mayGo = false
      yield* Flame.call(twice, { n: 1 })
      for (let asked = 1; asked <= 10; asked++) {
        yield* pass("30 seconds")
        assert.strictEqual(board.asked, asked)
        assert.strictEqual(runners.now, 1)
      }
      assert.deepInclude((yield* pool.status).totals, { calls: 1 })
      board.mayGo = true
      yield* pass("29999 millis")
      assert.strictEqual(runners.now, 1)
      yield* pass("1 millis")
      assert.strictEqual(runners.now, 0)
    }
  )

  poolTest(
    "[C29] a runner whose idleWhen does not answer ends after a second",
    { ...idle, idleWhen: mayGo },
    function* ({ board, runners }) {
      board.mayGo = undefined
      yield* Flame.call(twice, { n: 1 })
      yield* pass("30999 millis")
      assert.strictEqual(runners.now, 1)
      yield* pass("1 millis")
      yield* until(() => runners.now === 0, "the runner is gone")
    }
  )

  poolTest(
    "[C29] a runner serves a call that arrives while its idleWhen runs",
    { ...idle, idleWhen: mayGo },
    function* ({ board, faults, runners }) {
      board.mayGo = undefined
      const runner = yield* Flame.call(where)
      yield* pass("30500 millis")
      assert.strictEqual(board.asked, 1)
      assert.strictEqual(yield* Flame.call(where), runner)
      yield* pass("2 seconds")
      assert.strictEqual(runners.now, 1)
      assert.strictEqual(yield* faults.launched, 1)
    }
  )
})
