import { assert, describe } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Forbidden, LaunchFailed, NeverConnected, VersionMismatch } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import {
  BootFailed,
  FunctionMissing,
  InvalidPayload,
  PayloadTooLarge,
  PoolClosed,
  RemoteDefect,
  RunnerLost
} from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { Disconnected, Exited } from "../../../src/error/RunnerExit.ts"
import { Kind } from "../../../src/wire/Frame.ts"
import { Board, stubborn, tidy, twice, where, work } from "./functions.ts"
import {
  burst,
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
  value,
  waiting
} from "./harness.ts"

const outage = (count: number) => Array.from({ length: count }, () => new LaunchFailed({ detail: "no process slots" }))

/** Options of a pool that record when each boot begins. */
const bootTimes = (beforeBoot: (nth: number) => Effect.Effect<void, unknown> = () => Effect.void) => {
  const times: Array<number> = []
  return {
    times,
    setup: {
      beforeBoot: () => Effect.flatMap(Clock.currentTimeMillis, (now) => beforeBoot(times.push(now)))
    }
  }
}

describe("a boot", () => {
  poolTest(
    "[C52] that takes longer than bootTimeout is reported, and nothing of the boot is left",
    { bootTimeout: "10 seconds", before: (faults) => faults.muteBoots(true) },
    function* ({ events, faults, runners }) {
      const a = yield* waiting("a")
      yield* pass("9999 millis")
      yield* isOpen(a)
      assert.strictEqual(runners.now, 1)
      yield* pass("1 millis")
      const cause = new NeverConnected({
        phase: "started",
        hint: "its program runs but did not serve in time: look whether its entry calls Flame.main or FlameRunner.serve, and what it does before that, or raise `bootTimeout`",
        after: 10_000
      })
      const [failed] = only(events, "BootFailed")
      assert.deepStrictEqual(failed?.cause, cause)
      assert.deepStrictEqual(yield* reason(a), new BootFailed({ pool: Pool.key, attempts: 1, cause }))
      assert.strictEqual(runners.now, 0)
      assert.deepStrictEqual(yield* faults.list, [])
    }
  )

  poolTest(
    "[C52] has one bootTimeout for beforeBoot and launch together",
    {
      bootTimeout: "10 seconds",
      beforeBoot: () => Effect.sleep("6 seconds"),
      before: (faults) => faults.delayBoots("6 seconds")
    },
    function* ({ runners }) {
      const a = yield* waiting("a")
      yield* pass("10 seconds")
      const lost = yield* reason(a)
      assert.strictEqual(lost._tag === "BootFailed" ? lost.cause._tag : lost._tag, "NeverConnected")
      assert.strictEqual(runners.now, 0)
    }
  )

  const atOnce = bootTimes()
  poolTest(
    "[C54] that fails together with others causes one pause for all of them",
    { max: 5, ...atOnce.setup },
    function* ({ events, faults }) {
      yield* faults.failBoots(...outage(1_000))
      yield* burst("a", "b", "c", "d", "e")
      yield* pass("75 seconds")
      const rounds = [...new Set(atOnce.times)]
      for (const at of rounds)
        assert.lengthOf(
          atOnce.times.filter((time) => time === at),
          5
        )
      assert.lengthOf(only(events, "BootFailed"), atOnce.times.length)
      const pauses = rounds.slice(1).map((at, i) => at - rounds[i]!)
      for (const [i, [least, most]] of [
        [1, 2],
        [2, 4],
        [4, 8],
        [8, 16],
        [15, 30]
      ].entries()) {
        assert.isAtLeast(pauses[i]!, least! * 1_000)
        assert.isAtMost(pauses[i]!, most! * 1_000)
      }
    }
  )

  const apart = bootTimes((nth) =>
    Effect.andThen(Effect.sleep(nth === 2 ? 950 : 0), nth <= 2 ? Effect.fail("no") : Effect.void)
  )
  poolTest(
    "[C54] that fails after others of the same outage causes no further pause",
    { max: 2, ...apart.setup },
    function* () {
      yield* burst("a", "b")
      yield* pass("5 seconds")
      const [first, second, third, fourth] = apart.times
      assert.deepStrictEqual([first, second, third], [0, 0, fourth])
      assert.isAtLeast(third!, 1_000)
      assert.isAtMost(third!, 2_000)
      yield* finish("a", "b")
    }
  )

  poolTest(
    "[C54] that succeeds resets the pauses to their first length",
    { max: 1 },
    function* ({ events, faults, runners }) {
      yield* faults.failBoots(...outage(4))
      yield* waiting("a")
      yield* pass("1 minute")
      yield* started("a")
      assert.lengthOf(only(events, "BootFailed"), 4)
      yield* finish("a")
      yield* faults.failBoots(...outage(1))
      yield* faults.lose()
      yield* waiting("b")
      yield* pass("2 seconds")
      yield* started("b")
      yield* finish("b")
      assert.deepStrictEqual(runners, { now: 1, peak: 1 })
    }
  )

  poolTest(
    "[C54] that cannot heal causes one pause, and fails every caller that waits",
    { max: 5 },
    function* ({ faults }) {
      const cause = new Forbidden({ verb: "create", resource: "pods", detail: "no role" })
      yield* faults.failBoots(...Array.from({ length: 5 }, () => cause))
      const calls = yield* burst("a", "b", "c", "d", "e", "f", "g")
      for (const call of calls) {
        const told = yield* reason(call)
        if (told._tag !== "BootFailed") return assert.fail(told._tag)
        assert.deepStrictEqual(told.cause, cause)
      }
      assert.strictEqual(yield* faults.launched, 5)
      yield* pass("10 minutes")
      assert.strictEqual(yield* faults.launched, 5)
    }
  )

  poolTest(
    "whose beforeBoot interrupts itself is retried with pauses",
    { beforeBoot: () => Effect.interrupt },
    function* ({ events }) {
      yield* waiting("a", { timeout: "1 hour" })
      assert.lengthOf(only(events, "BootStarted"), 1)
      assert.strictEqual(only(events, "BootFailed")[0]?.cause._tag, "BeforeBootFailed")
    }
  )
})

describe("a caller", () => {
  poolTest(
    "[C56] that has timed out does not get the late result of its call",
    { max: 1 },
    function* ({ board, pool }) {
      const a = yield* start(Flame.call(stubborn, { name: "a" }, { timeout: "1 second" }))
      yield* started("a")
      const next = yield* start(Flame.call(twice, { n: 4 }))
      yield* pass("1 second")
      assert.strictEqual((yield* reason(a))._tag, "TimedOut")
      assert.deepInclude(yield* pool.status, { busySlots: 1, waiting: 1 })
      yield* finish("a")
      assert.strictEqual(yield* value(next), 8)
      assert.deepInclude((yield* pool.status).totals, { calls: 2, succeeded: 1, failed: 1 })
      assert.deepStrictEqual(board.order, ["a"])
    }
  )

  poolTest("[C56] that was interrupted does not get the late result of its call", { max: 1 }, function* ({ pool }) {
    const a = yield* start(Flame.call(stubborn, { name: "a" }))
    yield* started("a")
    const next = yield* start(Flame.call(twice, { n: 4 }))
    const interrupting = yield* start(Fiber.interrupt(a))
    yield* settle
    assert.isUndefined(interrupting.pollUnsafe(), "it waits for the function to stop")
    yield* finish("a")
    assert.isDefined(interrupting.pollUnsafe())
    const exit = a.pollUnsafe()
    assert.isTrue(exit !== undefined && Exit.hasInterrupts(exit), "it was interrupted, with no result")
    assert.strictEqual(yield* value(next), 8)
    assert.deepInclude((yield* pool.status).totals, { calls: 2, succeeded: 1, failed: 0 })
  })

  poolTest("that is interrupted waits for the finalizers on the runner", {}, function* ({ board }) {
    const a = yield* start(Flame.call(tidy, { name: "a" }))
    yield* started("a")
    const interrupting = yield* start(Fiber.interrupt(a))
    yield* pass("4 seconds")
    assert.isUndefined(interrupting.pollUnsafe())
    assert.isTrue(board.running.has("a"))
    yield* finish("a")
    assert.isDefined(interrupting.pollUnsafe())
  })

  poolTest(
    "[C57] that is interrupted while it waits for a slot leaves nothing behind",
    { max: 1, before: (faults) => faults.delayBoots("5 seconds") },
    function* ({ board, events, pool, runners }) {
      const booting = yield* waiting("a", { timeout: "1 minute" })
      yield* Fiber.interrupt(booting)
      assert.strictEqual((yield* pool.status).waiting, 0)
      yield* pass("5 seconds")
      assert.deepStrictEqual(board.order, [])
      const b = yield* long("b")
      const queued = yield* waiting("c", { timeout: "1 minute" })
      yield* Fiber.interrupt(queued)
      yield* pass("2 minutes")
      yield* finish("b")
      assert.strictEqual(yield* value(b), "b")
      assert.deepStrictEqual(board.order, ["b"])
      assert.deepInclude(yield* pool.status, { waiting: 0, busySlots: 0 })
      yield* pass("30 seconds")
      assert.strictEqual(runners.now, 0)
      assert.lengthOf(only(events, "BootStarted"), 1)
    }
  )

  const idle = { max: 2, idleTimeToLive: "30 seconds" } as const
  poolTest(
    "[C58] whose call arrives in any turn of an idle stop gets its result",
    idle,
    function* ({ faults, onFrame }) {
      // The 60 turns include those in which the runner gets its Drain, sends its goodbye and is removed.
      for (let turn = 0; turn < 60; turn++) {
        const call = Deferred.makeUnsafe<Fiber.Fiber<number, unknown>>()
        const context = yield* Effect.context<Pool>()
        yield* Flame.call(twice, { n: 1 })
        onFrame(Kind.Drain, () => {
          onFrame(Kind.Drain, () => {})
          afterTurns(turn < 30 ? turn : 0, turn < 30 ? 0 : turn - 30, () =>
            Deferred.doneUnsafe(call, Exit.succeed(Effect.runForkWith(context)(Flame.call(twice, { n: turn }))))
          )
        })
        yield* pass("29999 millis")
        assert.isFalse(Deferred.isDoneUnsafe(call))
        yield* pass("1 millis")
        assert.strictEqual(yield* value(yield* Deferred.await(call)), 2 * turn)
      }
      assert.strictEqual(yield* faults.launched, 61)
    }
  )

  poolTest(
    "[C58] whose call arrives at the same tick of the clock as the idle stop gets its result",
    idle,
    function* () {
      for (const first of ["call", "stop"]) {
        yield* Flame.call(twice, { n: 1 })
        const early = "29999 millis"
        const wait =
          first === "call" ? Effect.sleep("30 seconds") : Effect.andThen(Effect.sleep(early), Effect.sleep("1 millis"))
        const call = yield* start(Effect.andThen(wait, Flame.call(twice, { n: 2 })))
        yield* pass(early)
        yield* pass("1 millis")
        assert.strictEqual(yield* value(call), 4)
      }
    }
  )
})

/** Runs `f` after a number of microtasks, and then a number of turns of the event loop. */
const afterTurns = (microtasks: number, turns: number, f: () => void): void => {
  if (microtasks > 0) queueMicrotask(() => afterTurns(microtasks - 1, turns, f))
  else if (turns > 0) setImmediate(() => afterTurns(0, turns - 1, f))
  else f()
}

describe("a pool that closes", () => {
  poolTest(
    "[C59] lets calls in flight finish within drainTimeout, and leaves nothing behind",
    { max: 2, drainTimeout: "30 seconds" },
    function* ({ board, close, events, faults, pool, runners }) {
      const a = yield* long("a")
      const b = yield* long("b")
      const queued = yield* waiting("c")
      yield* start(close)
      assert.deepStrictEqual(yield* reason(queued), new PoolClosed({ pool: Pool.key, function: "work" }))
      yield* pass("29 seconds")
      yield* isOpen(a)
      const late = yield* Effect.flip(Flame.call(twice, { n: 1 }))
      assert.deepStrictEqual(late.reason, new PoolClosed({ pool: Pool.key, function: "twice" }))
      assert.strictEqual((yield* pool.status).state, "closing")
      yield* finish("a", "b")
      assert.deepStrictEqual([yield* value(a), yield* value(b)], ["a", "b"])
      assert.deepStrictEqual(runners, { now: 0, peak: 2 })
      assert.deepStrictEqual(board.interrupted, [])
      assert.strictEqual((yield* pool.status).state, "closed")
      assert.strictEqual(yield* faults.launched, 2)
      assert.deepStrictEqual(
        only(events, "RunnerGone").map(({ why }) => why),
        ["close", "close"]
      )
    }
  )

  poolTest(
    "[C59] interrupts calls that still run at drainTimeout, and tells their callers why the runner ended",
    { drainTimeout: "30 seconds" },
    function* ({ board, close, pool, runners }) {
      const a = yield* long("a")
      const runner = yield* started("a")
      yield* start(close)
      yield* pass("29999 millis")
      yield* isOpen(a)
      yield* pass("1 millis")
      assert.deepStrictEqual(
        yield* reason(a),
        new RunnerLost({
          pool: Pool.key,
          function: "work",
          runner,
          exit: new Disconnected({ detail: "it had to leave before the call ended" }),
          mayHaveRun: true,
          gone: false
        })
      )
      assert.deepStrictEqual(board.interrupted, ["a"])
      assert.strictEqual(runners.now, 0)
      assert.strictEqual((yield* pool.status).state, "closed")
    }
  )

  poolTest(
    "[C59] gives finalizers at most cancelGrace at the end",
    { drainTimeout: "30 seconds", cancelGrace: "5 seconds" },
    function* ({ close, runners, board }) {
      const a = yield* start(Flame.call(tidy, { name: "a" }))
      const runner = yield* started("a")
      const closing = yield* start(close)
      yield* pass("34999 millis")
      assert.isUndefined(closing.pollUnsafe())
      assert.strictEqual(runners.now, 1)
      yield* pass("1 millis")
      assert.isDefined(closing.pollUnsafe())
      assert.deepInclude(yield* reason(a), {
        _tag: "RunnerLost",
        runner,
        exit: new Exited({ code: 0 }),
        mayHaveRun: true,
        gone: true
      })
      assert.strictEqual(runners.now, 0)
      // A runner in memory shares the process of this test, so the function is still running.
      yield* finish("a")
      assert.isFalse(board.running.has("a"))
    }
  )

  poolTest(
    "[C59] gives up its boots, and runs the waiting casts on the slots that exist",
    { max: 1, drainTimeout: "30 seconds" },
    function* ({ board, close, events, pool }) {
      yield* long("a")
      yield* Flame.cast(work, { name: "b" })
      yield* Flame.cast(work, { name: "c" })
      const closing = yield* start(close)
      yield* finish("a", "b")
      assert.isUndefined(closing.pollUnsafe())
      assert.deepStrictEqual(board.order, ["a", "b", "c"])
      yield* finish("c")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(only(events, "CastFailed"), [])
      assert.deepInclude((yield* pool.status).totals, { succeeded: 3, castsFailed: 0 })
    }
  )

  poolTest(
    "[C59] closes at once when all of its runners are booting, and fails the waiting calls",
    { before: (faults) => faults.delayBoots("1 minute") },
    function* ({ close, logs }) {
      const a = yield* waiting("a")
      yield* Flame.cast(work, { name: "b" })
      const closing = yield* start(close)
      assert.deepStrictEqual(yield* reason(a), new PoolClosed({ pool: Pool.key, function: "work" }))
      assert.isDefined(closing.pollUnsafe())
      assert.include(logs.join("\n"), "a cast of work failed")
    }
  )

  poolTest(
    "[C59] closes by `drain` too, after which the end of its layer has nothing to do",
    { drainTimeout: "30 seconds" },
    function* ({ pool, runners }) {
      const a = yield* long("a")
      const draining = yield* start(pool.drain)
      yield* isOpen(draining)
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
      assert.isDefined(draining.pollUnsafe())
      assert.strictEqual(runners.now, 0)
      assert.strictEqual((yield* Effect.flip(Flame.call(twice, { n: 1 }))).reason._tag, "PoolClosed")
      assert.strictEqual((yield* Effect.flip(Flame.cast(twice, { n: 1 }))).reason._tag, "PoolClosed")
    }
  )

  poolTest(
    "[C59] goes on closing when the fiber that waits for `drain` is interrupted",
    { drainTimeout: "30 seconds" },
    function* ({ close, pool, runners }) {
      const a = yield* long("a")
      const draining = yield* start(pool.drain)
      yield* settle
      const interrupting = yield* start(Fiber.interrupt(draining))
      yield* settle
      assert.isDefined(interrupting.pollUnsafe(), "a drain can be interrupted")
      const closing = yield* start(close)
      yield* isOpen(closing)
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
      assert.isDefined(closing.pollUnsafe())
      assert.strictEqual(runners.now, 0)
    }
  )

  poolTest(
    "[C59] runs the call whose runner becomes ready at the moment of the close",
    {},
    function* ({ close, onFrame, runners }) {
      onFrame(Kind.Welcome, () => void Effect.runFork(close))
      const a = yield* waiting("a")
      yield* finish("a")
      assert.strictEqual(yield* value(a), "a")
      assert.deepStrictEqual(runners, { now: 0, peak: 1 })
    }
  )

  poolTest(
    "[C59] reports its last end of a runner before the end of its events",
    {},
    function* ({ close, events, pool }) {
      const all = yield* start(Stream.runCollect(pool.events))
      yield* Flame.call(twice, { n: 1 })
      yield* close
      assert.deepStrictEqual(
        (yield* value(all)).map(({ _tag }) => _tag).filter((tag) => tag !== "BootProgress"),
        ["BootStarted", "RunnerReady", "PoolClosing", "RunnerDraining", "RunnerGone"]
      )
      assert.deepStrictEqual(yield* value(all), events)
    }
  )
})

describe("values, layouts and builds", () => {
  poolTest(
    "[C62] a payload that does not fit its schema fails the call with the path, and is not sent",
    {},
    function* ({ faults }) {
      const error = yield* Effect.flip(Flame.call(twice, { n: 1.5 }))
      assert.deepStrictEqual(
        error.reason,
        new InvalidPayload({ function: "twice", issues: [{ path: "n", problem: "expected an integer" }] })
      )
      const cast = yield* Effect.flip(Flame.cast(twice, { n: "1" as never }))
      assert.strictEqual(cast.reason._tag, "InvalidPayload")
      assert.strictEqual(yield* faults.launched, 0)
    }
  )

  const lies = Flame.fn("lies", { success: Schema.Int }, () => Effect.succeed(1.5))
  const misfails = Flame.fn("misfails", { error: Schema.Literal("no") }, () => Effect.fail("yes" as "no"))
  poolTest(
    "[C62] a result or an error that does not fit its schema fails the call with a defect",
    { serve: [lies, misfails, twice] },
    function* ({ faults }) {
      const exits: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
        yield* Effect.exit(Flame.call(lies)),
        yield* Effect.exit(Flame.call(misfails))
      ]
      for (const exit of exits) {
        const died = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
        assert.instanceOf(died?._tag === "Die" ? died.defect : undefined, RemoteDefect)
      }
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      assert.strictEqual(yield* faults.launched, 1)
    }
  )

  class Point extends Schema.Class<Point>("test/Point")({ x: Schema.Number }) {}
  const move = Flame.fn(
    "move",
    { payload: { point: Point, tags: Schema.ReadonlyMap(Schema.String, Schema.Date) }, success: Point },
    ({ point, tags }) =>
      Effect.sync(() => {
        assert.instanceOf(point, Point)
        assert.instanceOf(tags.get("at"), Date)
        return new Point({ x: point.x + 1 })
      })
  )
  poolTest(
    "[C62] a value arrives as its class, map or date, and shares no object with the original",
    { serve: [move] },
    function* () {
      const point = new Point({ x: 1 })
      const moved = yield* Flame.call(move, { point, tags: new Map([["at", new Date(0)]]) })
      assert.instanceOf(moved, Point)
      assert.notStrictEqual(moved, point)
      assert.strictEqual(moved.x, 2)
    }
  )

  const echo = Flame.fn("echo", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, (bytes) =>
    Effect.succeed(bytes)
  )
  poolTest(
    "[C62] a payload or a result over its limit fails the call with size, limit and direction",
    { serve: [echo, twice], maxPayload: 100_000, maxResult: 50_000 },
    function* ({ faults }) {
      const payload = yield* Effect.flip(Flame.call(echo, new Uint8Array(100_001)))
      assert.deepStrictEqual(
        payload.reason,
        new PayloadTooLarge({ function: "echo", size: 100_001, limit: 100_000, direction: "payload" })
      )
      const result = yield* Effect.flip(Flame.call(echo, new Uint8Array(50_001)))
      assert.deepStrictEqual(
        result.reason,
        new PayloadTooLarge({ function: "echo", size: 50_001, limit: 50_000, direction: "result" })
      )
      assert.strictEqual((yield* Flame.call(echo, new Uint8Array(50_000))).length, 50_000)
      assert.strictEqual(yield* faults.launched, 1)
    }
  )

  const leaves = Flame.fn("leaves", { payload: { how: Schema.String }, success: Schema.String }, ({ how }) =>
    Effect.flatMap(Board, (board) =>
      Effect.as(
        Effect.addFinalizer(() =>
          how === "badly" ? Effect.die(new Error("the disk is full")) : Effect.sync(() => board.interrupted.push(how))
        ),
        how
      )
    )
  )
  poolTest(
    "[C62] a result is sent once the function's Scope has closed, so a defect of a finalizer fails the call",
    { serve: [leaves] },
    function* ({ board }) {
      assert.strictEqual(yield* Flame.call(leaves, { how: "well" }), "well")
      assert.deepStrictEqual(board.interrupted, ["well"])
      const exit = yield* Effect.exit(Flame.call(leaves, { how: "badly" }))
      assert.include(String(exit), "the disk is full")
      assert.isTrue(Exit.hasDies(exit))
    }
  )

  poolTest(
    "[C62] large values do not get mixed up with small values sent at the same time",
    { serve: [echo, twice], concurrency: 4, max: 1 },
    function* () {
      const large = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251)
      const [first, small, second] = yield* Effect.all(
        [Flame.call(echo, large), Flame.call(twice, { n: 1 }), Flame.call(echo, large.subarray(7))],
        { concurrency: "unbounded" }
      )
      assert.strictEqual(small, 2)
      assert.deepStrictEqual(Buffer.compare(first, large), 0)
      assert.deepStrictEqual(Buffer.compare(second, large.subarray(7)), 0)
    }
  )

  const otherTwice = Flame.contract("twice", { payload: { n: Schema.Int, m: Schema.Int }, success: Schema.Int })
  poolTest(
    "[C63] a runner whose functions have another layout is refused at its boot, with both sides named",
    {},
    function* ({ events }) {
      const error = yield* Effect.flip(Flame.call(otherTwice, { n: 1, m: 2 }))
      const cause = error.reason._tag === "BootFailed" ? error.reason.cause : undefined
      if (!(cause instanceof VersionMismatch)) return assert.fail(error.message)
      assert.strictEqual(cause.what, "the schemas of twice")
      assert.strictEqual(cause.parent, `layout ${otherTwice.layout} with payload.m: Number & isInt`)
      assert.strictEqual(cause.runner, `layout ${twice.layout} (build test) with no payload.m`)
      assert.deepStrictEqual(
        only(events, "BootFailed").map(({ transient }) => transient),
        [false]
      )
    }
  )

  poolTest(
    "[C63] a call with another layout than the ready runner's fails, and the runner serves on",
    {},
    function* ({ faults }) {
      const runner = yield* Flame.call(where)
      const { reason } = yield* Effect.flip(Flame.call(otherTwice, { n: 1, m: 2 }))
      assert.deepInclude(reason, { _tag: "BootFailed", runner })
      assert.strictEqual(reason._tag === "BootFailed" ? reason.cause._tag : "", "VersionMismatch")
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      assert.strictEqual(yield* faults.launched, 1)
    }
  )

  const unknown = Flame.contract("unknown", {})
  poolTest(
    "[C63] a call of a function that the runner does not serve fails with FunctionMissing",
    { build: "older" },
    function* () {
      const runner = yield* Flame.call(where)
      const { reason } = yield* Effect.flip(Flame.call(unknown))
      assert.deepStrictEqual(
        reason,
        new FunctionMissing({ pool: Pool.key, function: "unknown", runner, parentBuild: "test", runnerBuild: "older" })
      )
    }
  )

  poolTest(
    "[C63] a runner of another build serves, and its build is reported",
    { build: "older" },
    function* ({ events }) {
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
      assert.strictEqual(only(events, "RunnerReady")[0]?.otherBuild, "older")
    }
  )

  poolTest("[C63] a runner of the same build serves without a report", { build: "test" }, function* ({ events }) {
    yield* Flame.call(twice, { n: 1 })
    assert.isUndefined(only(events, "RunnerReady")[0]?.otherBuild)
  })
})
