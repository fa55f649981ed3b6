/** Tests of C53 in memory: functions that call other functions through the pools of their parent. */
import { assert, describe } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Flame from "../../../src/Flame.ts"
import { RemoteDefect } from "../../../src/error/FlameError.ts"
import * as FlameRunner from "../../../src/FlameRunner.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { Board, die, luggage, Refusal, refuse, stubborn, Tenant, tidy, twice, where, work } from "./functions.ts"
import { finish, isOpen, only, pass, poolTest, reason, settle, start, started, until, value } from "./harness.ts"

class Elsewhere extends Flame.PoolService<Elsewhere>()("test/Elsewhere") {}

const onBoard = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Board, (board) => board.run(name, effect))
const named = { name: Schema.String }

/** Calls `work`, and returns its result. */
const outer = Flame.fn("outer", { payload: named, success: Schema.String }, ({ name }) =>
  onBoard(name, Effect.orDie(Flame.call(work, { name: `${name}.inner` })))
)

/** The error of a nested call, as text. */
const told = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return `gave ${JSON.stringify(exit.value)}`
    const error = Cause.squash(exit.cause)
    if (error instanceof RemoteDefect) return `${error.remoteName}: ${error.message} on ${error.runner}`
    if (error instanceof Refusal) return `refused: ${error.why}`
    const reason = (error as { readonly reason?: Error & { readonly _tag: string } }).reason
    return reason === undefined ? String(error) : `${reason._tag}: ${reason.message}`
  })

/** Calls itself, nested that many times, and returns the runners on the way. */
const dive = Flame.contract("dive", { payload: { left: Schema.Int }, success: Schema.Array(Schema.String) })
const diving = Flame.implement(dive, ({ left }) =>
  Effect.gen(function* () {
    const { id } = yield* FlameRunner.Current
    if (left === 0) return [id]
    return [id, ...(yield* Effect.orDie(Flame.call(dive, { left: left - 1 })))]
  })
)

/** Calls itself without end, and returns the error of the deepest call. */
const endless = Flame.contract("endless", { success: Schema.String })
const diveOn = Flame.implement(endless, () =>
  Effect.catchTag(Flame.call(endless), "FlameError", ({ reason }) =>
    Effect.succeed(`${reason._tag}: ${reason.message}`)
  )
)

/** Makes that many calls at once, and returns their results. */
const fan = Flame.fn(
  "fan",
  { payload: { name: Schema.String, width: Schema.Int }, success: Schema.Array(Schema.String) },
  ({ name, width }) =>
    onBoard(
      name,
      Effect.orDie(
        Effect.forEach(
          Array.from({ length: width }, (_, i) => `${name}.${i}`),
          (name) => Flame.call(work, { name }),
          { concurrency: "unbounded" }
        )
      )
    )
)

/** Calls a function of the other pool, which calls a function of this pool. */
const back = Flame.fn("back", { payload: named, success: Schema.String, pool: Elsewhere }, ({ name }) =>
  onBoard(name, Effect.orDie(Flame.call(work, { name: `${name}.back` })))
)
const thither = Flame.fn("thither", { payload: named, success: Schema.String }, ({ name }) =>
  onBoard(name, Effect.orDie(Flame.call(back, { name: `${name}.there` })))
)
/** Runs in the other pool until the board lets it go. */
const away = Flame.fn("away", { payload: named, success: Schema.String, pool: Elsewhere }, ({ name }) =>
  onBoard(
    name,
    Effect.flatMap(Board, (board) => Effect.as(board.latch(name).await, name))
  )
)
const abroad = Flame.fn("abroad", { payload: named, success: Schema.String, idempotent: false }, ({ name }) =>
  onBoard(
    name,
    told(Flame.call(away, { name: `${name}.there` })).pipe(Effect.map((said) => said.replace(/^gave "(.*)"$/, "$1")))
  )
)

/** Functions of which each makes a call that must fail. */
const never = Flame.contract("never", { payload: { n: Schema.Int } })
class Nowhere extends Flame.PoolService<Nowhere>()("test/Nowhere") {}
const strict = Flame.fn("strict", { payload: { n: Schema.Int.check(Schema.isGreaterThan(0)) } }, () => Effect.void)
const wrong: Readonly<Record<string, Effect.Effect<string, never, Pool>>> = {
  PoolMissing: told(Flame.call(twice, { n: 1 }, { pool: Nowhere as unknown as typeof Pool })),
  FunctionMissing: told(Flame.call(never, { n: 1 })),
  InvalidPayload: told(Flame.call(strict, { n: 0 })),
  Refusal: told(Flame.call(refuse, { why: "no" })),
  RangeError: told(Flame.call(die, { why: "because" })),
  withRunner: told(Pool.withRunner(Flame.call(twice, { n: 1 }))),
  status: told(Effect.flatMap(Pool, (pool) => pool.status)),
  cast: told(Flame.cast(work, { name: "cast" })),
  badCast: told(Flame.cast(refuse, { why: "nobody hears it" })),
  TooLate: told(Flame.call(work, { name: "late" }, { timeout: "1 second" }))
}
const asking = Flame.fn("asking", { payload: { what: Schema.String }, success: Schema.String }, ({ what }) =>
  Effect.flatMap(FlameRunner.Current, ({ id }) => Effect.map(wrong[what]!, (said) => said.replaceAll(id, "itself")))
)

/** Returns what a nested call sends along, with an annotation added by the calling function. */
const packing = Flame.fn("packing", { success: luggage.success }, () =>
  Effect.orDie(Flame.call(luggage)).pipe(Effect.annotateLogs({ way: "nested" }))
)

/** Starts a nested call that would outlive its function. */
const leaky = Flame.fn("leaky", { payload: named }, ({ name }) =>
  Effect.asVoid(
    Effect.forkDetach(Effect.ignore(Flame.call(tidy, { name: `${name}.left` })), { startImmediately: true })
  )
)

const parenting = Flame.fn("parenting", { payload: { name: Schema.String, kind: Schema.String } }, ({ kind, name }) =>
  onBoard(
    name,
    Effect.orDie(
      kind === "tidy" ? Flame.call(tidy, { name: `${name}.in` }) : Flame.call(stubborn, { name: `${name}.in` })
    )
  )
)

const stubbornAway = Flame.fn("stubbornAway", { payload: named, pool: Elsewhere }, ({ name }) =>
  Effect.uninterruptible(
    onBoard(
      name,
      Effect.flatMap(Board, (board) => board.latch(name).await)
    )
  )
)
const parentingAway = Flame.fn("parentingAway", { payload: named }, ({ name }) =>
  onBoard(name, Effect.orDie(Flame.call(stubbornAway, { name: `${name}.in` })))
)

/** Sends bytes through a function and a nested function. */
const bytes = Flame.fn("bytes", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, (bytes) =>
  Effect.succeed(bytes.map((byte) => byte ^ 0xff))
)
const through = Flame.fn("through", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, (payload) =>
  Effect.orDie(Flame.call(bytes, payload))
)

const elsewhere = (options: { readonly max: number }) => Layer.build(Elsewhere.layer(options))

const functions = [
  stubbornAway,
  parentingAway,
  away,
  abroad,
  asking,
  packing,
  leaky,
  parenting,
  bytes,
  through,
  strict,
  outer,
  diving,
  diveOn,
  fan,
  back,
  thither,
  work,
  twice,
  where,
  luggage,
  refuse,
  die,
  tidy,
  stubborn
]

describe("[C53] a call inside a function", () => {
  poolTest(
    "returns the function's result, and runs on the slot of its caller",
    { serve: functions, max: 1 },
    function* (world) {
      const call = yield* start(Flame.call(outer, { name: "a" }))
      yield* started("a.inner")
      assert.deepInclude(yield* world.pool.status, { busySlots: 1, suspended: 1, waiting: 0 })
      yield* finish("a.inner")
      assert.strictEqual(yield* value(call), "a.inner")
      const [first, second] = world.board.starts.map(([, runner]) => runner)
      assert.strictEqual(first, second)
      assert.lengthOf(only(world.events, "BootStarted"), 1)
      assert.deepInclude(yield* world.pool.status, { busySlots: 0, suspended: 0 })
      assert.deepInclude((yield* world.pool.status).totals, { calls: 2, succeeded: 2 })
    }
  )

  for (const [what, options] of [
    ["on a runner with fewer slots", { max: 1 }],
    ["on a runner that serves one root call", { max: 1, maxCalls: 1 }],
    ["without a queue", { max: 1, queueCapacity: 0, min: 1 }]
  ] as const) {
    poolTest(`ends when nested 20 deep ${what}`, { serve: functions, ...options }, function* ({ events }) {
      yield* settle
      const runners = yield* value(yield* start(Flame.call(dive, { left: 20 })))
      assert.lengthOf(runners, 21)
      assert.lengthOf(new Set(runners), 1)
      assert.lengthOf(only(events, "RunnerReady"), 1)
    })
  }

  poolTest("ends on a runner that drains", { serve: functions, max: 1 }, function* ({ board, faults, pool }) {
    const call = yield* start(Flame.call(outer, { name: "a" }))
    yield* started("a.inner")
    yield* faults.terminate()
    yield* settle
    yield* finish("a.inner")
    assert.strictEqual(yield* value(call), "a.inner")
    // This call starts after the drain has begun.
    board.latch("b.0")
    const late = yield* start(Flame.call(fan, { name: "b", width: 2 }))
    yield* started("b.0")
    yield* faults.terminate()
    yield* settle
    assert.deepInclude(yield* pool.status, { draining: 1, ready: 0, waiting: 1 })
    yield* finish("b.0")
    yield* started("b.1")
    yield* finish("b.1")
    assert.deepStrictEqual(yield* value(late), ["b.0", "b.1"])
  })

  poolTest("ends while its pool closes", { serve: functions, max: 1 }, function* ({ close, pool }) {
    const call = yield* start(Flame.call(fan, { name: "a", width: 2 }))
    yield* started("a.0")
    const closing = yield* start(close)
    const root = yield* start(Flame.call(twice, { n: 1 }))
    assert.strictEqual((yield* reason(root))._tag, "PoolClosed")
    yield* finish("a.0")
    yield* started("a.1")
    assert.strictEqual((yield* pool.status).state, "closing")
    yield* finish("a.1")
    assert.deepStrictEqual(yield* value(call), ["a.0", "a.1"])
    yield* value(closing)
  })

  poolTest("runs before the waiting calls of the app", { serve: functions, max: 1 }, function* ({ board }) {
    const call = yield* start(Flame.call(fan, { name: "a", width: 3 }))
    yield* started("a.0")
    const root = yield* start(Flame.call(work, { name: "root" }))
    for (const name of ["a.0", "a.1", "a.2"]) {
      yield* started(name)
      yield* finish(name)
    }
    yield* value(call)
    yield* started("root")
    yield* finish("root")
    yield* value(root)
    assert.deepStrictEqual(board.order, ["a", "a.0", "a.1", "a.2", "root"])
  })

  poolTest(
    "does not lend its slot to a call of the app",
    { serve: functions, max: 1, most: 2 },
    function* ({ board, pool }) {
      yield* elsewhere({ max: 1 })
      const call = yield* start(Flame.call(abroad, { name: "a" }))
      yield* started("a.there")
      const root = yield* start(Flame.call(work, { name: "root" }))
      yield* isOpen(root)
      assert.deepInclude(yield* pool.status, { busySlots: 1, suspended: 1, freeSlots: 0, waiting: 1 })
      assert.notInclude(board.order, "root")
      yield* finish("a.there", "root")
      assert.strictEqual(yield* value(call), "a.there")
      assert.strictEqual(yield* value(root), "root")
    }
  )

  poolTest(
    "can go to another pool of the parent, and back",
    { serve: functions, max: 1, most: 2 },
    function* ({ board }) {
      const there = yield* elsewhere({ max: 1 })
      const calls = yield* Effect.forEach(["a", "b"], (name) => start(Flame.call(thither, { name })))
      yield* started("a.there.back")
      assert.deepInclude(yield* (yield* Pool).status, { busySlots: 1, suspended: 1, waiting: 1 })
      yield* finish("a.there.back")
      yield* started("b.there.back")
      yield* finish("b.there.back")
      assert.deepStrictEqual(yield* Effect.forEach(calls, value), ["a.there.back", "b.there.back"])
      assert.notStrictEqual(board.starts[0]?.[1], board.starts[1]?.[1])
      assert.isDefined(there)
    }
  )

  poolTest("fails beyond a nesting depth of 32", { serve: functions, max: 1 }, function* ({ pool }) {
    assert.strictEqual(
      yield* value(yield* start(Flame.call(endless))),
      "TooDeep: endless is nested 33 calls deep, the limit is 32: look for a function that calls itself without end"
    )
    assert.strictEqual((yield* pool.status).totals.calls, 33)
  })

  for (const [what, said] of [
    [
      "PoolMissing",
      "PoolMissing: twice needs pool test/Nowhere, which is not there: the parent has no such pool: provide its layer beside its FlameLayer"
    ],
    [
      "FunctionMissing",
      "FunctionMissing: runner itself of pool effect-flame/Pool does not serve never (parent build test, runner build test): add it to `functions` of Flame.main or to FlameRunner.serve"
    ],
    [
      "InvalidPayload",
      "InvalidPayload: the payload of strict does not match its schema: n: expected a value greater than 0"
    ],
    ["Refusal", "refused: no"],
    ["RangeError", "RangeError: die died on runner itself with RangeError: because on itself"],
    [
      "withRunner",
      "PoolMissing: withRunner needs pool effect-flame/Pool, which is not there: only the parent can keep a runner; a function can call, cast, stream and place"
    ],
    ["status", "Error: status of pool effect-flame/Pool is its parent's: a function can call, cast, stream and place"]
  ] as const) {
    poolTest(`reports ${what} to the calling function`, { serve: functions, max: 1 }, function* ({ pool }) {
      assert.strictEqual(yield* value(yield* start(Flame.call(asking, { what }))), said)
      assert.deepInclude(yield* pool.status, { busySlots: 0, suspended: 0 })
    })
  }

  poolTest("has a budget of its own, within the budget of its caller", { serve: functions, max: 1 }, function* (world) {
    const late = yield* start(Flame.call(asking, { what: "TooLate" }))
    yield* started("late")
    yield* pass("1 second")
    assert.match(yield* value(late), /^TimedOut: work took longer than its 1000 ms/)
    const packed = yield* value(yield* start(Flame.call(packing, undefined, { timeout: "3 seconds" })))
    assert.strictEqual(packed.remaining, 3_000)
    const free = yield* value(yield* start(Flame.call(packing)))
    assert.isUndefined(free.remaining)
    const cut = yield* start(Flame.call(outer, { name: "cut" }, { timeout: "2 seconds" }))
    yield* started("cut.inner")
    yield* pass("2 seconds")
    assert.strictEqual((yield* reason(cut))._tag, "TimedOut")
    yield* until(() => world.board.running.size === 0, "both have stopped")
    assert.include(world.board.interrupted, "cut.inner")
  })

  poolTest("sends along what any call sends along", { serve: functions, max: 1, tracer: true }, function* ({ spans }) {
    const packed = yield* Flame.call(packing).pipe(
      Effect.annotateLogs({ from: "app" }),
      Effect.provideService(Tenant, "acme"),
      Effect.withSpan("app")
    )
    assert.deepInclude(packed, { tenant: "acme", annotations: { from: "app", way: "nested" } })
    const path = (name: string) => {
      let span = spans.find((span) => span.name === name)
      const names: Array<string> = []
      for (; span !== undefined;) {
        names.push(span.name)
        const parent: string | undefined = span.parent._tag === "Some" ? span.parent.value.spanId : undefined
        span = spans.find((span) => span.spanId === parent)
      }
      return names
    }
    assert.deepStrictEqual(path("luggage.run"), ["luggage.run", "Flame.call", "packing.run", "Flame.call", "app"])
  })

  poolTest(
    "is cancelled together with its caller, which waits for its end",
    { serve: functions, max: 1 },
    function* ({ board, pool }) {
      const call = yield* start(Flame.call(parenting, { name: "a", kind: "tidy" }))
      yield* started("a.in")
      const interrupting = yield* start(Fiber.interrupt(call))
      yield* isOpen(interrupting)
      assert.deepInclude(yield* pool.status, { busySlots: 1, suspended: 1 })
      yield* finish("a.in")
      yield* value(interrupting)
      assert.deepStrictEqual(board.interrupted, ["a.in", "a"])
      assert.deepInclude(yield* pool.status, { busySlots: 0, suspended: 0 })
    }
  )

  poolTest(
    "that does not stop costs its own runner, not the runner of its caller",
    { serve: functions, max: 1, most: 2, cancelGrace: "5 seconds" },
    function* ({ events }) {
      yield* elsewhere({ max: 1 })
      const call = yield* start(Flame.call(parentingAway, { name: "a" }))
      yield* started("a.in")
      const interrupting = yield* start(Fiber.interrupt(call))
      yield* pass("5 seconds")
      yield* value(interrupting)
      assert.lengthOf(only(events, "RunnerStuck"), 0)
      yield* finish("a.in")
    }
  )

  poolTest(
    "is stopped when the runner of its caller is lost",
    { serve: functions, max: 1, most: 2 },
    function* ({ board, faults }) {
      yield* elsewhere({ max: 1 })
      const call = yield* start(Flame.call(abroad, { name: "a" }))
      const there = yield* started("a.there")
      const lost = (yield* faults.list).find(({ id }) => id !== there)
      yield* faults.lose({ id: lost!.id })
      assert.strictEqual((yield* reason(call))._tag, "RunnerLost")
      yield* until(() => !board.running.has("a.there"), "it has stopped")
      assert.include(board.interrupted, "a.there")
    }
  )

  poolTest(
    "fails in the calling function when its own runner is lost",
    { serve: functions, max: 1, most: 2 },
    function* ({ faults }) {
      yield* elsewhere({ max: 1 })
      const call = yield* start(Flame.call(abroad, { name: "a" }))
      yield* faults.lose({ id: yield* started("a.there") })
      assert.match(yield* value(call), /^RunnerLost: runner elsewhere-\S+ of pool test\/Elsewhere was lost with away/)
    }
  )

  poolTest(
    "that the calling function does not await ends with that function",
    { serve: functions, max: 1 },
    function* ({ board, pool }) {
      yield* start(Flame.call(leaky, { name: "a" }))
      yield* settle
      yield* finish("a.left")
      yield* until(() => board.running.size === 0, "it has stopped")
      assert.deepInclude(yield* pool.status, { busySlots: 0, suspended: 0, waiting: 0 })
    }
  )

  poolTest(
    "can be a cast, which outlives its caller",
    { serve: functions, max: 1 },
    function* ({ board, events, pool }) {
      assert.strictEqual(yield* value(yield* start(Flame.call(asking, { what: "cast" }))), "gave undefined")
      yield* started("cast")
      assert.deepInclude(yield* pool.status, { busySlots: 1, suspended: 0 })
      yield* finish("cast")
      assert.strictEqual(board.running.size, 0)
      assert.strictEqual(yield* value(yield* start(Flame.call(asking, { what: "badCast" }))), "gave undefined")
      yield* until(() => only(events, "CastFailed").length === 1, "it is told")
      assert.strictEqual((yield* pool.status).totals.castsFailed, 1)
    }
  )

  poolTest("carries large values in both directions", { serve: functions, max: 1 }, function* () {
    const payload = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251)
    const back = yield* Flame.call(through, payload)
    assert.isTrue(Buffer.from(back).equals(Buffer.from(payload.map((byte) => byte ^ 0xff))))
  })
})
