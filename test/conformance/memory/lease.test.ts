import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { PoolClosed, QueueFull, RunnerLost } from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { Runner } from "../../../src/pool/runtime/Runner.ts"
import { Disconnected, Killed } from "../../../src/error/RunnerExit.ts"
import { again, refuse, twice, where, work } from "./functions.ts"
import { finish, isOpen, long, pass, poolTest, reason, settle, start, started, until, value } from "./harness.ts"

/** Holds a runner until the test lets it go. Returns the runner's id. */
const holding = Effect.gen(function* () {
  const held = yield* Deferred.make<string>()
  const end = yield* Deferred.make<void>()
  const fiber = yield* start(
    Pool.withRunner(
      Effect.gen(function* () {
        yield* Deferred.succeed(held, (yield* Runner).id)
        yield* Deferred.await(end)
      })
    )
  )
  return { id: Deferred.await(held), end: Effect.andThen(Deferred.succeed(end, undefined), settle), fiber }
})

describe("withRunner", () => {
  poolTest("runs all calls inside on one runner, and provides that runner's id", { max: 3 }, function* ({ faults }) {
    yield* Effect.all([Flame.call(where), Flame.call(where), Flame.call(where)], { concurrency: "unbounded" })
    yield* settle
    const [runner, ids] = yield* Pool.withRunner(
      Effect.gen(function* () {
        const runner = yield* Runner
        const ids = yield* Effect.forEach(Array.from({ length: 10 }), () => Flame.call(where), { concurrency: 3 })
        yield* Effect.ignore(Flame.call(refuse, { why: "no" }))
        return [runner, [...ids, yield* Flame.call(where)]] as const
      })
    )
    assert.deepStrictEqual([...new Set(ids)], [runner.id])
    assert.deepStrictEqual([runner.pool, runner.labels], [Pool.key, { runner: runner.id }])
    assert.include(
      (yield* faults.list).map(({ id }) => id),
      runner.id
    )
  })

  poolTest(
    "boots a runner if there is none, and returns the result or the error of its effect",
    {},
    function* ({ faults, pool }) {
      assert.strictEqual(yield* Pool.withRunner(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(Pool.withRunner(Effect.fail("no"))), "no")
      yield* settle
      assert.strictEqual((yield* pool.status).leases, 0)
      assert.strictEqual(yield* faults.launched, 1)
    }
  )

  poolTest("uses no slot between its calls", { max: 1 }, function* ({ pool }) {
    const held = yield* holding
    const id = yield* held.id
    assert.deepInclude(yield* pool.status, { leases: 1, busySlots: 0, freeSlots: 1 })
    assert.strictEqual(yield* Flame.call(where), id)
    yield* held.end
    assert.strictEqual((yield* pool.status).leases, 0)
  })

  poolTest(
    "keeps its runner from idle stop and consolidation until it ends",
    { max: 2, idleTimeToLive: "10 seconds" },
    function* ({ faults }) {
      const held = yield* holding
      const id = yield* held.id
      yield* pass("10 minutes")
      assert.deepStrictEqual(
        (yield* faults.list).map((_) => _.id),
        [id]
      )
      yield* held.end
      yield* pass("9 seconds")
      assert.lengthOf(yield* faults.list, 1)
      yield* pass("1 second")
      assert.lengthOf(yield* faults.list, 0)
    }
  )

  poolTest(
    "keeps its runner while the runner is recycled, and all of its calls still run there",
    { maxCalls: 2, max: 2 },
    function* ({ faults }) {
      const [ids, after] = yield* Pool.withRunner(
        Effect.gen(function* () {
          const ids = yield* Effect.forEach([1, 2, 3, 4], () => Flame.call(where))
          return [ids, (yield* faults.list).map(({ id }) => id)] as const
        })
      )
      assert.strictEqual(new Set(ids).size, 1)
      assert.deepStrictEqual(after, [ids[0]])
      yield* settle
      assert.notInclude(
        (yield* faults.list).map(({ id }) => id),
        ids[0]
      )
    }
  )

  poolTest(
    "makes its calls wait for a slot of its own runner, though another runner has a free slot",
    { max: 2 },
    function* ({ board }) {
      const a = yield* long("a")
      const id = yield* started("a")
      yield* Effect.all([Flame.call(where), Flame.call(where)], { concurrency: 2 })
      const b = yield* long("b")
      yield* finish("a")
      yield* value(a)
      yield* Pool.withRunner(
        Effect.gen(function* () {
          assert.strictEqual((yield* Runner).id, id)
          const c = yield* start(Flame.call(work, { name: "c" }))
          assert.strictEqual(yield* started("c"), id)
          const d = yield* start(Flame.call(work, { name: "d" }))
          yield* finish("b")
          yield* isOpen(d)
          assert.deepStrictEqual(board.order, ["a", "b", "c"])
          yield* finish("c", "d")
          assert.deepStrictEqual([yield* value(c), yield* value(d)], ["c", "d"])
        })
      )
      assert.strictEqual(board.starts.at(-1)?.[1], id)
      yield* value(b)
    }
  )

  poolTest("has a runner of its own if max allows one, else shares a runner", { max: 2 }, function* ({ runners }) {
    const [first, second] = [yield* holding, yield* holding]
    assert.notStrictEqual(yield* first.id, yield* second.id)
    const third = yield* holding
    assert.include([yield* first.id, yield* second.id], yield* third.id)
    assert.strictEqual(runners.now, 2)
    yield* Effect.all([first.end, second.end, third.end])
  })

  poolTest("runs the waiting calls inside when its unresponsive runner answers again", {}, function* ({ faults }) {
    yield* Pool.withRunner(
      Effect.gen(function* () {
        yield* start(Flame.call(work, { name: "a" }))
        yield* started("a")
        yield* faults.freeze(true)
        yield* pass("4 seconds")
        const waits = yield* start(Flame.call(twice, { n: 1 }))
        yield* finish("a")
        yield* isOpen(waits)
        yield* faults.freeze(false)
        assert.strictEqual(yield* value(waits), 2)
      })
    )
  })

  poolTest("can be nested inside another withRunner", { max: 1 }, function* () {
    const ids = yield* Pool.withRunner(
      Effect.gen(function* () {
        const outer = yield* Flame.call(where)
        return [outer, yield* Pool.withRunner(Flame.call(where)), yield* Flame.call(where)]
      })
    )
    assert.strictEqual(new Set(ids).size, 1)
  })

  poolTest(
    "fails its later calls with RunnerLost(mayHaveRun: false), which are retryable, once its runner is lost",
    {},
    function* ({ faults, board }) {
      yield* Pool.withRunner(
        Effect.gen(function* () {
          const { id } = yield* Runner
          const a = yield* start(Flame.call(work, { name: "a" }))
          yield* started("a")
          yield* faults.lose({ id })
          assert.deepStrictEqual(
            yield* reason(a),
            new RunnerLost({
              pool: Pool.key,
              function: "work",
              runner: id,
              exit: new Killed({ signal: "SIGKILL" }),
              mayHaveRun: true,
              gone: true
            })
          )
          const error = yield* Effect.flip(Flame.call(work, { name: "b" }))
          assert.deepStrictEqual(
            error.reason,
            new RunnerLost({
              pool: Pool.key,
              function: "work",
              runner: id,
              exit: new Disconnected({ detail: "the runner of this withRunner is gone" }),
              mayHaveRun: false,
              gone: false
            })
          )
          assert.isTrue(Flame.isRetryable(error))
        })
      )
      assert.deepStrictEqual(board.order, ["a"])
      assert.strictEqual(yield* Flame.call(twice, { n: 1 }), 2)
    }
  )

  poolTest(
    "fails calls that were not sent or still waited with mayHaveRun: false when its runner is lost",
    {},
    function* ({ board, faults }) {
      yield* Pool.withRunner(
        Effect.gen(function* () {
          const a = yield* start(Flame.call(work, { name: "a" }))
          yield* started("a")
          const waits = yield* start(Flame.call(work, { name: "waits" }))
          yield* faults.lose()
          assert.deepInclude(yield* reason(waits), { _tag: "RunnerLost", mayHaveRun: false })
          assert.deepInclude(yield* reason(a), { _tag: "RunnerLost", mayHaveRun: true })
        })
      )
      yield* Pool.withRunner(
        Effect.gen(function* () {
          yield* settle
          yield* faults.lose()
          const unsent = yield* start(Flame.call(work, { name: "unsent" }))
          assert.deepInclude(yield* reason(unsent), { _tag: "RunnerLost", mayHaveRun: false })
        })
      )
      assert.deepStrictEqual(board.order, ["a"])
    }
  )

  poolTest(
    "that has ended fails calls from inside that still wait or start later, and lets a running call finish",
    { max: 1 },
    function* ({ board, pool }) {
      const ended = new RunnerLost({
        pool: Pool.key,
        function: "work",
        runner: yield* Flame.call(where),
        exit: new Disconnected({ detail: "its withRunner has ended" }),
        mayHaveRun: false,
        gone: false
      })
      const go = yield* Deferred.make<void>()
      const [runs, waits, later] = yield* Pool.withRunner(
        Effect.gen(function* () {
          const runs = yield* start(Flame.call(work, { name: "runs" }))
          yield* started("runs")
          const waits = yield* start(Flame.call(work, { name: "waits" }))
          return [
            runs,
            waits,
            yield* start(Effect.andThen(Deferred.await(go), Flame.call(work, { name: "later" })))
          ] as const
        })
      )
      assert.deepStrictEqual(yield* reason(waits), ended)
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(yield* reason(later), ended)
      yield* isOpen(runs)
      yield* finish("runs")
      assert.strictEqual(yield* value(runs), "runs")
      assert.deepStrictEqual(board.order, ["runs"])
      assert.strictEqual((yield* pool.status).leases, 0)
    }
  )

  poolTest("does not resend an idempotent call to another runner", {}, function* ({ board, faults }) {
    yield* Pool.withRunner(
      Effect.gen(function* () {
        const a = yield* start(Flame.call(again, { name: "a" }))
        yield* until(() => board.running.get("a"), "a runs")
        yield* faults.lose()
        assert.deepInclude(yield* reason(a), { _tag: "RunnerLost" })
      })
    )
    assert.deepStrictEqual(board.order, ["a"])
  })

  poolTest(
    "fails with PoolClosed when it starts while the pool closes; a withRunner in progress may end its calls",
    { drainTimeout: "30 seconds" },
    function* ({ close }) {
      const [inside, closing] = yield* Pool.withRunner(
        Effect.gen(function* () {
          const inside = yield* start(Flame.call(work, { name: "inside" }))
          yield* started("inside")
          const closing = yield* start(close)
          yield* settle
          const late = yield* Effect.flip(Flame.call(twice, { n: 1 }))
          assert.deepStrictEqual(late.reason, new PoolClosed({ pool: Pool.key, function: "twice" }))
          yield* isOpen(inside)
          yield* finish("inside")
          return [inside, closing] as const
        })
      )
      assert.strictEqual(yield* value(inside), "inside")
      yield* settle
      assert.isDefined(closing.pollUnsafe())
      const refused = yield* Effect.flip(Pool.withRunner(Effect.void))
      assert.deepStrictEqual(refused.reason, new PoolClosed({ pool: Pool.key, function: "withRunner" }))
    }
  )

  poolTest(
    "does not keep the pool from closing while no call runs inside",
    { drainTimeout: "30 seconds" },
    function* ({ close, runners }) {
      const held = yield* holding
      yield* held.id
      const closing = yield* start(close)
      yield* settle
      assert.isDefined(closing.pollUnsafe())
      assert.strictEqual(runners.now, 0)
      yield* held.end
    }
  )

  poolTest(
    "leaves nothing behind when it is interrupted while it waits for a runner",
    { before: (faults) => faults.delayBoots("5 seconds") },
    function* ({ pool }) {
      const held = yield* holding
      assert.strictEqual((yield* pool.status).waiting, 1)
      yield* Fiber.interrupt(held.fiber)
      assert.strictEqual((yield* pool.status).waiting, 0)
      yield* pass("5 seconds")
      assert.strictEqual((yield* pool.status).leases, 0)
    }
  )

  poolTest(
    "waits for a runner for at most the pool's timeout",
    { timeout: "2 seconds", before: (faults) => faults.delayBoots("5 seconds") },
    function* ({ pool }) {
      const held = yield* holding
      yield* pass("1999 millis")
      yield* isOpen(held.fiber)
      yield* pass("1 millis")
      assert.deepInclude(yield* reason(held.fiber), {
        _tag: "TimedOut",
        function: "withRunner",
        after: 2_000,
        phase: "booting"
      })
      assert.strictEqual((yield* pool.status).waiting, 0)
      yield* pass("5 seconds")
    }
  )

  poolTest("fails with BootFailed and QueueFull as a call does", { max: 1, queueCapacity: 1 }, function* ({ faults }) {
    yield* faults.delayBoots("1 second")
    const first = yield* holding
    yield* settle
    const second = yield* Effect.flip(Pool.withRunner(Effect.void))
    assert.deepStrictEqual(
      second.reason,
      new QueueFull({ pool: Pool.key, function: "withRunner", waiting: 1, capacity: 1 })
    )
    yield* pass("1 second")
    yield* first.id
    yield* first.end
  })

  poolTest("releases its runner when the effect inside dies or is interrupted", {}, function* ({ pool }) {
    assert.isTrue(Exit.hasDies(yield* Effect.exit(Pool.withRunner(Effect.die("a bug")))))
    const held = yield* holding
    yield* held.id
    yield* Fiber.interrupt(held.fiber)
    yield* settle
    assert.strictEqual((yield* pool.status).leases, 0)
  })

  class Other extends Flame.PoolService<Other>()("test/Other") {}
  poolTest("does not affect calls to another pool", {}, function* ({ faults }) {
    yield* Pool.withRunner(
      Effect.gen(function* () {
        const { id } = yield* Runner
        const other = yield* Effect.provide(
          Effect.gen(function* () {
            const id = yield* Flame.call(where, undefined, { pool: Other })
            const pools = (yield* faults.list).map(({ pool }) => pool)
            return { id, pools }
          }),
          Other.layer({ max: 1 })
        )
        assert.deepStrictEqual(other.pools, [Pool.key, "test/Other"])
        assert.notStrictEqual(other.id, id)
      })
    )
  })
})
