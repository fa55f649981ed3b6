/** Rules whose breach no other test notices: each was broken once, and only the test here failed. */
import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { Runner } from "../../../src/pool/runtime/Runner.ts"
import { Kind } from "../../../src/wire/Frame.ts"
import { again, Board, work } from "./functions.ts"
import { finish, isOpen, pass, poolTest, reason, settle, start, started, until, value, waiting } from "./harness.ts"

describe("the budget of a call", () => {
  poolTest("of Infinity overrides the timeout of the pool [C330]", { max: 2, timeout: "1 second" }, function* () {
    const endless = yield* start(Flame.call(work, { name: "endless" }, { timeout: Infinity }))
    const bounded = yield* start(Flame.call(work, { name: "bounded" }))
    yield* pass("1 minute")
    assert.strictEqual((yield* reason(bounded))._tag, "TimedOut")
    yield* isOpen(endless)
    yield* finish("endless")
    assert.strictEqual(yield* value(endless), "endless")
  })

  poolTest(
    "is over once its caller is interrupted: no deadline rings later [C57]",
    { max: 1, timeout: "1 second" },
    function* ({ pool }) {
      const first = yield* start(Flame.call(work, { name: "first" }, { timeout: Infinity }))
      yield* started("first")
      yield* Fiber.interrupt(yield* waiting("waits"))
      yield* pass("1 minute")
      yield* finish("first")
      yield* value(first)
      const { failed, interrupted } = (yield* pool.status).totals
      assert.deepStrictEqual({ failed, interrupted }, { failed: 0, interrupted: 1 })
    }
  )

  poolTest("stays one budget when the call is sent again [C85]", { max: 1 }, function* ({ faults }) {
    const call = yield* start(Flame.call(again, { name: "again" }, { timeout: "10 seconds" }))
    const first = yield* started("again")
    yield* pass("6 seconds")
    yield* faults.lose()
    const board = yield* Board
    yield* until(
      () => board.running.get("again") !== undefined && board.running.get("again") !== first,
      "it runs again"
    )
    yield* pass("3900 millis")
    yield* isOpen(call)
    yield* pass("200 millis")
    assert.strictEqual((yield* reason(call))._tag, "TimedOut")
    yield* settle
  })
})

describe("the budget of a call that waited for six of its ten seconds", () => {
  poolTest(
    "stays the same when a runner that drains refuses the call [C85]",
    { max: 1, concurrency: 1 },
    function* ({ board, faults, onFrame }) {
      yield* start(Flame.call(work, { name: "first" }))
      const runner = yield* started("first")
      const call = yield* waiting("second", { timeout: "10 seconds" })
      yield* pass("6 seconds")
      // The runner drains while the request is on its way.
      onFrame(Kind.Request, () => Effect.runSync(Effect.andThen(faults.terminate(runner), faults.delayBoots(60_000))))
      yield* finish("first")
      yield* pass("3900 millis")
      yield* isOpen(call)
      yield* pass("200 millis")
      assert.deepInclude(yield* reason(call), { _tag: "TimedOut", phase: "booting" })
      assert.deepStrictEqual(
        board.starts.map(([name]) => name),
        ["first"]
      )
    }
  )

  poolTest(
    "stays the same when a runner that drains stops the call [C85]",
    { max: 1, most: 2, drainTimeout: "1 second" },
    function* ({ board, faults }) {
      const call = yield* start(Flame.call(again, { name: "again" }, { timeout: "10 seconds" }))
      const first = yield* started("again")
      yield* pass("5 seconds")
      yield* faults.terminate(first)
      yield* pass("1 second")
      yield* until(() => ![undefined, first].includes(board.running.get("again")), "the call runs again")
      yield* pass("3900 millis")
      yield* isOpen(call)
      yield* pass("200 millis")
      assert.strictEqual((yield* reason(call))._tag, "TimedOut")
      yield* settle
    }
  )
})

describe("a runner with a call", () => {
  poolTest(
    "is not idle, however long the call runs [C31]",
    { max: 2, idleTimeToLive: "1 second" },
    function* ({ pool }) {
      const call = yield* start(Flame.call(work, { name: "long" }))
      yield* started("long")
      yield* pass("10 seconds")
      const { runners } = yield* pool.status
      assert.deepStrictEqual(
        runners.map(({ state }) => state),
        ["ready"]
      )
      yield* finish("long")
      yield* value(call)
    }
  )
})

describe("a lease", () => {
  poolTest(
    "that is granted in the step in which its fiber is interrupted is given back [C331]",
    { max: 1, concurrency: 2 },
    function* ({ faults, pool }) {
      yield* faults.delayBoots("1 second")
      const first = yield* start(Pool.withRunner(Effect.sync(() => second.interruptUnsafe())))
      const second: Fiber.Fiber<unknown, unknown> = yield* start(Pool.withRunner(Effect.never))
      yield* settle
      assert.strictEqual((yield* pool.status).waiting, 2)
      yield* pass("2 seconds")
      yield* until(() => first.pollUnsafe() !== undefined && second.pollUnsafe() !== undefined, "both end")
      yield* settle
      assert.strictEqual((yield* pool.status).leases, 0)
    }
  )

  poolTest("binds no cast: a cast made inside runs on any runner [C332]", { max: 2 }, function* () {
    const inside = yield* Deferred.make<string>()
    const end = yield* Deferred.make<void>()
    yield* start(
      Pool.withRunner(
        Effect.gen(function* () {
          const own = yield* Effect.forkChild(Flame.call(work, { name: "own" }), { startImmediately: true })
          yield* Deferred.succeed(inside, (yield* Runner).id)
          yield* Flame.cast(work, { name: "cast" })
          yield* Deferred.await(end)
          yield* Fiber.join(own)
        })
      )
    )
    const leased = yield* Deferred.await(inside)
    assert.strictEqual(yield* started("own"), leased)
    assert.notStrictEqual(yield* started("cast"), leased)
    yield* finish("cast", "own")
    yield* Deferred.succeed(end, undefined)
  })
})
