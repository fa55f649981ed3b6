import { assert, describe } from "@effect/vitest"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { RunnerLost, TimedOut } from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { Disconnected, Exited, Killed } from "../../../src/error/RunnerExit.ts"
import { again, stubborn, twice, where, work } from "./functions.ts"
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

const lost = (fn: string, runner: string, exit: RunnerLost["exit"], gone: boolean) =>
  new RunnerLost({ pool: Pool.key, function: fn, runner, exit, mayHaveRun: true, gone })

describe("a lost runner", () => {
  poolTest(
    "requeues a call of which nothing was written, at the head of the queue",
    { max: 1, concurrency: 2 },
    function* ({ board, faults, pool }) {
      const a = yield* long("a")
      const first = yield* started("a")
      // Both in one turn: the connection ends before any byte of b can leave.
      yield* faults.lose()
      const b = yield* start(Flame.call(work, { name: "b" }))
      const c = yield* start(Flame.call(work, { name: "c" }))
      assert.strictEqual((yield* pool.status).busySlots, 2)
      assert.deepStrictEqual(yield* reason(a), lost("work", first, new Killed({ signal: "SIGKILL" }), true))
      assert.notStrictEqual(yield* started("b"), first)
      yield* finish("b", "c")
      assert.deepStrictEqual([yield* value(b), yield* value(c)], ["b", "c"])
      assert.deepStrictEqual(board.order, ["a", "b", "c"])
    }
  )

  poolTest("does not reset the budget of a call that is requeued", { max: 1 }, function* ({ faults }) {
    yield* Flame.call(where)
    yield* faults.delayBoots("1 minute")
    yield* faults.lose()
    const b = yield* start(Flame.call(work, { name: "b" }, { timeout: "7 seconds" }))
    yield* pass("6999 millis")
    yield* isOpen(b)
    yield* pass("1 millis")
    const why = yield* reason(b)
    assert.instanceOf(why, TimedOut)
    assert.deepInclude(why, { pool: Pool.key, function: "work", phase: "booting", after: 7_000 })
  })

  poolTest(
    "has its idempotent call resent at once when the runner is known to be gone",
    { max: 1 },
    function* ({ board, faults }) {
      const a = yield* start(Flame.call(again, { name: "a" }))
      const first = yield* started("a")
      yield* faults.lose()
      const second = yield* until(() => board.starts[1]?.[1], "a runs again")
      assert.notStrictEqual(second, first)
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
      assert.deepStrictEqual(board.order, ["a", "a"])
    }
  )

  poolTest(
    "[C100] has an idempotent call resent at most `attempts` times, and healthy calls pass in between",
    { max: 1, attempts: 4, crashLoopTime: 0 },
    function* ({ board, faults }) {
      const a = yield* start(Flame.call(again, { name: "a" }))
      const healthy = yield* waiting("b")
      for (let times = 1; times <= 4; times++) {
        yield* until(() => board.running.has("a"), `a runs for the ${times}. time`)
        yield* faults.lose()
        yield* settle
        if (times === 1) yield* finish("b")
      }
      assert.deepStrictEqual(board.order, ["a", "b", "a", "a", "a"])
      assert.strictEqual(yield* value(healthy), "b")
      const why = yield* reason(a)
      assert.deepInclude(why, { _tag: "RunnerLost", mayHaveRun: true, attempts: 4 })
      assert.include(why.message, "was sent 4 times, each time its runner went")
    }
  )

  poolTest(
    "does not have its idempotent call resent before the runner is known to be gone",
    { cancelGrace: "5 seconds" },
    function* ({ board, faults }) {
      const a = yield* start(Flame.call(again, { name: "a" }))
      yield* started("a")
      yield* faults.disconnect({ tellAfter: "3 seconds" })
      yield* pass("2999 millis")
      assert.deepStrictEqual(board.order, ["a"])
      yield* pass("1 millis")
      assert.deepStrictEqual(board.order, ["a", "a"])
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
    }
  )

  poolTest(
    "has its idempotent call resent 15 s + cancelGrace + 2 s after the loss when nobody can tell that it is gone",
    {
      max: 1,
      concurrency: 2,
      cancelGrace: "4 seconds",
      reasonGrace: "1 second",
      untold: true,
      closesWithin: "10 seconds"
    },
    function* ({ board, events, faults }) {
      const a = yield* start(Flame.call(again, { name: "a" }))
      const b = yield* long("b")
      const runner = yield* started("b")
      yield* faults.disconnect()
      yield* pass("1 second")
      assert.deepStrictEqual(yield* reason(b), lost("work", runner, new Disconnected({}), false))
      yield* pass("19999 millis")
      assert.deepStrictEqual(board.order, ["a", "b"])
      // Counted from the loss, or from the end of reasonGrace.
      yield* pass("1001 millis")
      assert.deepStrictEqual(board.order, ["a", "b", "a"])
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
      assert.deepStrictEqual(
        only(events, "RunnerGone").map(({ exit }) => exit),
        [{ reason: new Disconnected({}), gone: false }]
      )
      assert.deepStrictEqual(only(events, "LateReason"), [])
    }
  )

  poolTest(
    "does not have its idempotent call resent when the caller has timed out or was interrupted meanwhile",
    {},
    function* ({ board, faults, pool }) {
      const a = yield* start(Flame.call(again, { name: "a" }, { timeout: "2 seconds" }))
      const b = yield* start(Flame.call(again, { name: "b" }))
      const first = yield* started("a")
      yield* started("b")
      yield* faults.disconnect({ tellAfter: "3 seconds" })
      yield* pass("1 second")
      yield* Fiber.interrupt(b)
      yield* pass("1 second")
      assert.deepStrictEqual(
        yield* reason(a),
        new TimedOut({ pool: Pool.key, function: "again", runner: first, phase: "running", after: 2_000 })
      )
      yield* pass("1 minute")
      assert.deepStrictEqual(board.order, ["a", "b"])
      assert.deepInclude(yield* pool.status, { waiting: 0, busySlots: 0 })
    }
  )

  poolTest(
    "loses its slots at once, and is reported with the reason that arrives within reasonGrace",
    { max: 1, reasonGrace: "3 seconds" },
    function* ({ events, faults, pool }) {
      const a = yield* long("a")
      const runner = yield* started("a")
      yield* faults.disconnect({ tellAfter: "1 second" })
      yield* isOpen(a)
      assert.deepInclude(yield* pool.status, { ready: 0, busySlots: 0, freeSlots: 0 })
      yield* pass("999 millis")
      yield* isOpen(a)
      yield* pass("1 millis")
      assert.deepStrictEqual(yield* reason(a), lost("work", runner, new Exited({ code: 0 }), true))
      assert.deepStrictEqual(only(events, "LateReason"), [])
      assert.deepStrictEqual(
        only(events, "RunnerGone").map(({ exit }) => exit),
        [{ reason: new Exited({ code: 0 }), gone: true }]
      )
    }
  )

  poolTest(
    "is reported to its callers as Disconnected after reasonGrace; a later reason is an event",
    { reasonGrace: "3 seconds" },
    function* ({ events, faults }) {
      const a = yield* long("a")
      const runner = yield* started("a")
      yield* faults.disconnect({ tellAfter: "3500 millis" })
      yield* pass("2999 millis")
      yield* isOpen(a)
      yield* pass("1 millis")
      assert.deepStrictEqual(yield* reason(a), lost("work", runner, new Disconnected({}), false))
      assert.deepStrictEqual(only(events, "LateReason"), [])
      yield* pass("500 millis")
      const exit = { reason: new Exited({ code: 0 }), gone: true }
      assert.deepStrictEqual(only(events, "LateReason"), [{ _tag: "LateReason", pool: Pool.key, runner, exit }])
      assert.deepStrictEqual(
        only(events, "RunnerGone").map(({ exit }) => exit),
        [exit]
      )
    }
  )

  poolTest(
    "keeps its callers waiting for the reason only within their budgets",
    { reasonGrace: "3 seconds" },
    function* ({ faults }) {
      const a = yield* long("a", { timeout: "2 seconds" })
      yield* started("a")
      yield* faults.disconnect({ tellAfter: "10 seconds" })
      yield* pass("1999 millis")
      yield* isOpen(a)
      yield* pass("1 millis")
      assert.deepInclude(yield* reason(a), { _tag: "TimedOut", phase: "running", after: 2_000 })
      yield* pass("10 seconds")
    }
  )

  poolTest(
    "does not keep an interrupted caller waiting for the reason",
    { reasonGrace: "3 seconds" },
    function* ({ faults }) {
      const a = yield* long("a")
      yield* faults.disconnect({ tellAfter: "10 seconds" })
      yield* pass("1 second")
      yield* Fiber.interrupt(a)
      yield* pass("10 seconds")
    }
  )

  poolTest(
    "is reported to the callers that wait for the reason when the pool closes",
    { reasonGrace: "3 seconds" },
    function* ({ close, faults, pool }) {
      const a = yield* long("a")
      const b = yield* start(Flame.call(again, { name: "b" }))
      const [first, second] = [yield* started("a"), yield* started("b")]
      yield* faults.disconnect({ tellAfter: "2 seconds" })
      yield* pass("1 second")
      const closing = yield* start(close)
      yield* settle
      const told = [a.pollUnsafe(), b.pollUnsafe(), (yield* pool.status).totals]
      yield* pass("2 seconds")
      assert.isDefined(closing.pollUnsafe())
      assert.isDefined(told[0], "at once")
      assert.deepInclude(yield* reason(a), { _tag: "RunnerLost", runner: first, mayHaveRun: true })
      assert.deepInclude(yield* reason(b), { _tag: "RunnerLost", runner: second, mayHaveRun: true })
      assert.deepInclude(told[2], { calls: 2, failed: 2 })
    }
  )
})

describe("a function that does not stop", () => {
  const setup = {
    max: 2,
    concurrency: 2,
    strategy: "pack",
    cancelGrace: "5 seconds",
    drainTimeout: "30 seconds"
  } as const

  poolTest(
    "costs its runner once the other calls there have finished, if the event loop still answers",
    setup,
    function* ({ events, pool, runners }) {
      const bad = yield* start(Flame.call(stubborn, { name: "bad" }, { timeout: "10 seconds" }))
      const runner = yield* started("bad")
      const mate = yield* long("mate")
      assert.strictEqual(yield* started("mate"), runner)
      yield* pass("10 seconds")
      assert.deepInclude(yield* reason(bad), { _tag: "TimedOut", phase: "running", runner })
      yield* pass("4999 millis")
      assert.deepStrictEqual(only(events, "RunnerStuck"), [])
      yield* pass("1 millis")
      assert.deepStrictEqual(only(events, "RunnerStuck"), [
        { _tag: "RunnerStuck", pool: Pool.key, runner, function: "stubborn" }
      ])
      assert.deepInclude(
        (yield* pool.status).runners.find(({ id }) => id === runner),
        { state: "draining", calls: 2 }
      )
      assert.notStrictEqual(yield* Flame.call(where), runner)
      yield* isOpen(mate)
      yield* finish("mate")
      assert.strictEqual(yield* value(mate), "mate")
      const [gone] = only(events, "RunnerGone")
      assert.deepInclude(gone, { runner, why: "stuck" })
      assert.deepStrictEqual(gone?.exit.reason, new Killed({ signal: "SIGKILL", by: "stuck call stubborn" }))
      assert.strictEqual(runners.now, 1)
      yield* finish("bad")
    }
  )

  poolTest(
    "is not treated as a blocked loop when cancelGrace ends at the tick of a ping",
    setup,
    function* ({ events }) {
      const bad = yield* start(Flame.call(stubborn, { name: "bad" }, { timeout: "1 second" }))
      yield* started("bad")
      const mate = yield* long("mate")
      // Pings are sent at 2, 4 and 6 s. The call is cancelled at 1 s, and its grace ends at 6 s.
      yield* pass("6 seconds")
      assert.deepInclude(yield* reason(bad), { _tag: "TimedOut" })
      assert.lengthOf(only(events, "RunnerStuck"), 1)
      yield* isOpen(mate)
      yield* finish("mate")
      assert.strictEqual(yield* value(mate), "mate")
      yield* finish("bad")
    }
  )

  poolTest("costs its runner at drainTimeout at the latest", setup, function* ({ board, events, faults }) {
    const bad = yield* start(Flame.call(stubborn, { name: "bad" }, { timeout: "10 seconds" }))
    const runner = yield* started("bad")
    const mate = yield* start(Flame.call(stubborn, { name: "mate" }))
    assert.strictEqual(yield* started("mate"), runner)
    yield* pass("15 seconds")
    yield* reason(bad)
    yield* pass("29999 millis")
    yield* isOpen(mate)
    assert.deepStrictEqual(only(events, "RunnerGone"), [])
    yield* pass("1 millis")
    const killed = new Killed({ signal: "SIGKILL", by: "stuck call stubborn" })
    assert.deepStrictEqual(yield* reason(mate), lost("stubborn", runner, killed, true))
    assert.deepStrictEqual(only(events, "RunnerGone")[0]?.exit.reason, killed)
    assert.deepStrictEqual(yield* faults.list, [])
    board.open("bad")
    board.open("mate")
    yield* settle
  })

  poolTest(
    "costs its runner at once if the event loop does not answer, and the other callers are told which function did it",
    setup,
    function* ({ events, faults }) {
      const bad = yield* start(Flame.call(stubborn, { name: "bad" }, { timeout: "10 seconds" }))
      const runner = yield* started("bad")
      const mate = yield* long("mate")
      yield* pass("9 seconds")
      yield* faults.freeze(true)
      yield* pass("5999 millis")
      yield* isOpen(mate)
      yield* pass("1 millis")
      yield* reason(bad)
      assert.deepStrictEqual(
        yield* reason(mate),
        lost("work", runner, new Killed({ signal: "SIGKILL", by: "stuck call stubborn" }), true)
      )
      assert.deepInclude(only(events, "RunnerGone")[0], { runner, why: "stuck" })
      yield* finish("bad")
    }
  )

  poolTest(
    "keeps an interrupted caller for cancelGrace, and its slot until its end",
    { ...setup, max: 1 },
    function* ({ events, pool }) {
      const bad = yield* start(Flame.call(stubborn, { name: "bad" }))
      yield* started("bad")
      const interrupting = yield* start(Fiber.interrupt(bad))
      yield* pass("4999 millis")
      assert.isUndefined(interrupting.pollUnsafe())
      yield* pass("1 millis")
      assert.isDefined(interrupting.pollUnsafe())
      assert.lengthOf(only(events, "RunnerStuck"), 1)
      assert.lengthOf(only(events, "RunnerGone"), 1)
      assert.deepInclude(yield* pool.status, { busySlots: 0 })
      yield* finish("bad")
    }
  )

  poolTest("that stops within cancelGrace does not cost its runner", setup, function* ({ events, faults }) {
    const slow = yield* start(Flame.call(stubborn, { name: "slow" }, { timeout: "10 seconds" }))
    const runner = yield* started("slow")
    yield* pass("14 seconds")
    yield* reason(slow)
    yield* finish("slow")
    yield* pass("10 seconds")
    assert.deepStrictEqual(only(events, "RunnerStuck"), [])
    assert.strictEqual(yield* Flame.call(where), runner)
    assert.strictEqual(yield* faults.launched, 1)
  })
})

describe("a runner that does not answer", () => {
  poolTest(
    "gets no calls until it answers again",
    { max: 2, concurrency: 2, strategy: "pack" },
    function* ({ events, faults, pool }) {
      const a = yield* long("a")
      const runner = yield* started("a")
      yield* faults.freeze(true)
      // The ping of 0 s may have been answered late, so the ping of 2 s is not missing before 4 s.
      yield* pass("3999 millis")
      assert.deepStrictEqual(only(events, "RunnerUnresponsive"), [])
      yield* pass("1 millis")
      assert.deepStrictEqual(only(events, "RunnerUnresponsive"), [
        { _tag: "RunnerUnresponsive", pool: Pool.key, runner }
      ])
      assert.strictEqual((yield* pool.status).runners[0]?.state, "unresponsive")
      assert.notStrictEqual(yield* Flame.call(where), runner)
      yield* pass("1 minute")
      yield* isOpen(a)
      yield* faults.freeze(false, runner)
      yield* settle
      assert.deepStrictEqual(only(events, "RunnerResponsive"), [{ _tag: "RunnerResponsive", pool: Pool.key, runner }])
      assert.strictEqual(yield* Flame.call(where), runner)
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
      assert.deepStrictEqual(
        only(events, "RunnerGone").filter((_) => _.runner === runner),
        []
      )
    }
  )

  poolTest(
    "runs the calls that waited for it as soon as it answers",
    { max: 1, concurrency: 2 },
    function* ({ board, faults }) {
      yield* long("a")
      yield* faults.freeze(true)
      yield* pass("4 seconds")
      const b = yield* waiting("b")
      yield* pass("1 minute")
      assert.deepStrictEqual(board.order, ["a"])
      yield* faults.freeze(false)
      yield* started("b")
      yield* finish("a", "b")
      assert.strictEqual(yield* value(b), "b")
    }
  )

  poolTest(
    "is killed after silenceLimit, and its callers are told how long it was silent [C400]",
    { silenceLimit: "1 minute", max: 1 },
    function* ({ events, faults }) {
      const a = yield* long("a")
      const runner = yield* started("a")
      yield* faults.freeze(true)
      yield* pass("1 minute")
      yield* isOpen(a)
      yield* pass("6 seconds")
      const told = yield* reason(a)
      if (told._tag !== "RunnerLost" || told.exit._tag !== "Killed") return assert.fail(told.message)
      assert.strictEqual(told.runner, runner)
      assert.match(
        told.exit.by!,
        /^silent for 6\d{4} ms: the runner answered no ping of its pool, whose `silenceLimit` is 1 min;/
      )
      assert.isUndefined(only(events, "RunnerGone")[0]?.why)
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
    }
  )

  poolTest(
    "is not treated as silent when a cancelled call makes two pings follow each other closely",
    { max: 1, concurrency: 2 },
    function* ({ events, faults }) {
      yield* long("a")
      const b = yield* long("b")
      yield* pass("1999 millis")
      // The ping of this cancellation and the regular ping are one millisecond apart, and the answers take longer than
      // that.
      yield* faults.freeze(true)
      yield* start(Fiber.interrupt(b))
      yield* pass("1 millis")
      yield* faults.freeze(false)
      yield* settle
      assert.deepStrictEqual(only(events, "RunnerUnresponsive"), [])
      yield* faults.freeze(true)
      yield* pass("3999 millis")
      assert.deepStrictEqual(only(events, "RunnerUnresponsive"), [])
      yield* pass("1 millis")
      assert.lengthOf(only(events, "RunnerUnresponsive"), 1)
      yield* faults.freeze(false)
      yield* finish("a")
    }
  )
})

describe("a runner that is terminated from outside", () => {
  poolTest(
    "gets no new calls, and its calls in flight finish",
    { max: 2, concurrency: 2, strategy: "pack" },
    function* ({ events, faults }) {
      const a = yield* long("a")
      const runner = yield* started("a")
      yield* faults.terminate(runner)
      // In the same turn: the parent has not received the goodbye, and the runner hands the call back.
      const b = yield* start(Flame.call(where))
      assert.notStrictEqual(yield* value(b), runner)
      assert.notStrictEqual(yield* Flame.call(where), runner)
      yield* pass("29 seconds")
      yield* isOpen(a)
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
      assert.deepInclude(only(events, "RunnerGone")[0], {
        runner,
        why: "draining",
        exit: { reason: new Exited({ code: 0 }), gone: true }
      })
    }
  )

  poolTest(
    "interrupts calls that still run at drainTimeout",
    { drainTimeout: "30 seconds" },
    function* ({ board, faults }) {
      const a = yield* long("a")
      yield* faults.terminate()
      yield* pass("29999 millis")
      yield* isOpen(a)
      yield* pass("1 millis")
      assert.deepInclude(yield* reason(a), { _tag: "RunnerLost", mayHaveRun: true })
      assert.deepStrictEqual(board.interrupted, ["a"])
    }
  )
})
