import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import { EntryMissing } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { FlameError } from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { refuse, twice, where } from "./functions.ts"
import {
  burst,
  finish,
  isOpen,
  long,
  only,
  pass,
  poolTest,
  settle,
  started,
  value,
  waiting,
  withPool
} from "./harness.ts"

describe("the option spare", () => {
  poolTest(
    "keeps that many slots free while calls run, and none before or after",
    { max: 10, spare: 2, idleTimeToLive: "30 seconds" },
    function* ({ pool, runners }) {
      yield* settle
      assert.strictEqual(runners.now, 0)
      yield* long("a")
      yield* settle
      assert.deepInclude(yield* pool.status, { busySlots: 1, freeSlots: 2 })
      yield* long("b")
      yield* settle
      assert.deepInclude(yield* pool.status, { busySlots: 2, freeSlots: 2 })
      yield* pass("10 minutes")
      assert.deepInclude(yield* pool.status, { busySlots: 2, freeSlots: 2 })
      yield* finish("a", "b")
      yield* pass("2 minutes")
      assert.strictEqual(runners.now, 0)
    }
  )

  poolTest("is a share of the busy slots if it is below 1", { max: 20, spare: 0.5 }, function* ({ pool }) {
    yield* burst("a", "b", "c", "d", "e")
    assert.deepInclude(yield* pool.status, { busySlots: 5, freeSlots: 3 })
    yield* finish("a", "b", "c", "d", "e")
  })

  poolTest("never makes the pool exceed max", { max: 3, spare: 5 }, function* ({ pool }) {
    yield* burst("a", "b")
    assert.deepInclude(yield* pool.status, { busySlots: 2, freeSlots: 1 })
    yield* finish("a", "b")
  })
})

describe("the option strategy", () => {
  const two = { min: 2, awaitMin: true, concurrency: 2 } as const
  poolTest("spreads calls over the least busy runners", { ...two, strategy: "spread" }, function* () {
    yield* burst("a", "b")
    assert.notStrictEqual(yield* started("a"), yield* started("b"))
    yield* finish("a", "b")
  })

  poolTest("packs calls on the fullest runner that has a free slot", { ...two, strategy: "pack" }, function* () {
    yield* burst("a", "b", "c")
    assert.strictEqual(yield* started("a"), yield* started("b"))
    assert.notStrictEqual(yield* started("c"), yield* started("a"))
    yield* finish("a", "b", "c")
  })
})

describe("consolidation", () => {
  poolTest(
    "ends the emptiest runner when fewer would have done for idleTimeToLive, though no runner is idle that long",
    { max: 3, concurrency: 2, idleTimeToLive: "30 seconds" },
    function* ({ board, events, runners }) {
      const calls = yield* burst("a", "b", "c", "d", "e", "f")
      assert.strictEqual(runners.now, 3)
      // One call is left on each runner.
      const keep = new Map<string, string>()
      for (const [name, runner] of board.starts) keep.set(runner, name)
      const rest = board.order.filter((name) => ![...keep.values()].includes(name))
      yield* finish(...rest)
      yield* pass("5 minutes")
      assert.strictEqual(runners.now, 3, "their calls are not cut")
      const status = only(events, "RunnerDraining")
      assert.deepStrictEqual(status, [])
      // Two slots of one runner would be enough for a while, but calls come and go on all runners.
      yield* finish(...keep.values())
      for (let i = 0; i < 12; i++) {
        yield* Flame.call(twice, { n: i })
        yield* pass("10 seconds")
      }
      assert.strictEqual(runners.now, 1)
      for (const gone of only(events, "RunnerGone")) assert.include(["consolidate", "idle"], gone.why)
      yield* Effect.forEach(calls, value)
    }
  )

  poolTest(
    "sends no new calls to the chosen runner, and takes the choice back when demand returns",
    { max: 2, concurrency: 2, idleTimeToLive: "30 seconds" },
    function* ({ events, faults, pool }) {
      const [a, b, c, d] = yield* burst("a", "b", "c", "d")
      const spread = [yield* started("a"), yield* started("c")]
      const other = spread[0] === spread[1] ? "d" : "c"
      yield* finish("b", other === "c" ? "d" : "c")
      yield* pass("65 seconds")
      const { draining, ready } = yield* pool.status
      assert.deepStrictEqual({ draining, ready }, { draining: 1, ready: 1 })
      const [e, f] = yield* burst("e", "f")
      assert.deepInclude(yield* pool.status, { draining: 0, ready: 2, busySlots: 4 })
      assert.strictEqual(yield* faults.launched, 2)
      yield* finish("a", "b", "c", "d", "e", "f")
      for (const call of [a!, b!, c!, d!, e!, f!]) yield* value(call)
      assert.deepStrictEqual(only(events, "RunnerGone"), [])
    }
  )
})

describe("resize", () => {
  poolTest(
    "runs waiting calls when max or concurrency is raised",
    { max: 1, most: 2 },
    function* ({ board, pool, runners }) {
      yield* burst("a", "b", "c", "d")
      assert.deepStrictEqual(board.order, ["a"])
      yield* pool.resize({ max: 2 })
      yield* settle
      assert.deepStrictEqual(board.order, ["a", "b"])
      yield* pool.resize({ concurrency: 2 })
      yield* settle
      assert.deepStrictEqual(board.order, ["a", "b", "c", "d"])
      assert.strictEqual(runners.now, 2)
      yield* finish("a", "b", "c", "d")
    }
  )

  poolTest(
    "ends surplus runners when max is lowered, without cutting calls",
    { max: 3 },
    function* ({ events, pool, runners }) {
      const calls = yield* burst("a", "b", "c")
      yield* pool.resize({ max: 1 })
      yield* pass("10 minutes")
      for (const call of calls) yield* isOpen(call)
      yield* finish("a", "b", "c")
      assert.deepStrictEqual(yield* Effect.forEach(calls, value), ["a", "b", "c"])
      assert.strictEqual(runners.now, 1)
      assert.deepStrictEqual(
        only(events, "RunnerGone").map(({ why }) => why),
        ["resize", "resize"]
      )
      assert.deepInclude(yield* pool.status, { max: 1, ready: 1 })
    }
  )

  poolTest(
    "boots for a raised min, and ends runners for a lowered min",
    { idleTimeToLive: "30 seconds" },
    function* ({ pool, runners }) {
      yield* pool.resize({ min: 2 })
      yield* settle
      assert.strictEqual(runners.now, 2)
      yield* pool.resize({ min: 0 })
      yield* pass("1 minute")
      assert.strictEqual(runners.now, 0)
    }
  )

  poolTest(
    "gives up surplus boots",
    { max: 3, before: (faults) => faults.delayBoots("10 seconds") },
    function* ({ pool, runners, events }) {
      const calls = yield* burst("a", "b", "c")
      assert.strictEqual(runners.now, 3)
      yield* pool.resize({ max: 1 })
      yield* settle
      assert.strictEqual(runners.now, 1)
      assert.deepStrictEqual(
        only(events, "BootGivenUp").map(({ why }) => why),
        ["resize", "resize"]
      )
      yield* pass("10 seconds")
      yield* finish("a", "b", "c")
      assert.deepStrictEqual(yield* Effect.forEach(calls, value), ["a", "b", "c"])
    }
  )

  poolTest("dies for invalid values, and the pool keeps its former values", { min: 1, max: 2 }, function* ({ pool }) {
    for (const wrong of [
      { max: 0 },
      { min: 3 },
      { concurrency: 1.5 },
      { spare: -1 },
      { maxCalls: 0 },
      { queueCapacity: -1 }
    ]) {
      const exit = yield* Effect.exit(pool.resize(wrong))
      const [reason] = Exit.isFailure(exit) ? exit.cause.reasons : []
      assert.instanceOf(reason?._tag === "Die" ? reason.defect : undefined, TypeError, JSON.stringify(wrong))
    }
    yield* pool.resize({ max: 3 })
    assert.deepInclude(yield* pool.status, { min: 1, max: 3, concurrency: 1 })
  })
})

describe("the option awaitMin", () => {
  it.effect("fails the layer with the cause that keeps min from booting", () =>
    Effect.gen(function* () {
      const cause = new EntryMissing({ entry: "/app/runner.ts" })
      const built = withPool({ min: 1, awaitMin: true, before: (faults) => faults.failBoots(cause) }, () => Effect.void)
      const error = yield* Effect.flip(built)
      assert.instanceOf(error, FlameError)
      assert.deepInclude(error.reason, { _tag: "BootFailed", attempts: 1, cause })
    })
  )

  poolTest(
    "does not delay the layer when it is off",
    { min: 2, before: (faults) => faults.delayBoots("1 minute") },
    function* ({ pool }) {
      assert.deepInclude(yield* pool.status, { ready: 0, booting: 2 })
    }
  )
})

describe("variables of the environment", () => {
  poolTest(
    "override the program's own options",
    {
      max: 8,
      concurrency: 3,
      config: {
        FLAME_MAX: "2",
        FLAME_IDLE_TIME_TO_LIVE: "10 seconds",
        FLAME_STRATEGY: "pack",
        FLAME_TIMEOUT: "1 minute",
        FLAME_SPARE: "0.5"
      }
    },
    function* ({ pool, runners }) {
      assert.deepInclude(yield* pool.status, { min: 0, max: 2, concurrency: 3 })
      const a = yield* long("a")
      yield* pass("59 seconds")
      yield* isOpen(a)
      yield* pass("1 second")
      assert.isDefined(a.pollUnsafe())
      yield* pass("9 seconds")
      assert.isAbove(runners.now, 0)
      yield* pass("1 second")
      assert.strictEqual(runners.now, 0)
    }
  )

  poolTest(
    "have a prefix of their own for each pool",
    { config: { FLAME_MAX: "2", FLAME_TESTING_GPU_MAX: "5" } },
    function* ({ pool }) {
      class Gpu extends Flame.PoolService<Gpu>()("app/testing.Gpu") {}
      assert.strictEqual((yield* pool.status).max, 2)
      const status = yield* Effect.provide(
        Effect.flatMap(Gpu, ({ status }) => status),
        Gpu.layer({ max: 3 })
      )
      assert.strictEqual(status.max, 5)
    }
  )

  it.effect("fail the layer when a value is invalid", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(withPool({ config: { FLAME_MAX: "many" } }, () => Effect.void))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "FLAME_MAX")
    })
  )
})

describe("observing a pool:", () => {
  poolTest(
    "status shows its present state",
    {
      min: 1,
      max: 4,
      awaitMin: true,
      beforeBoot: () => Effect.void,
      before: (faults) => faults.delayBoots("0 millis")
    },
    function* ({ faults, pool }) {
      yield* pass("5 seconds")
      const a = yield* long("a")
      yield* faults.delayBoots("1 minute")
      const b = yield* waiting("b")
      const status = yield* pool.status
      const [first, second] = status.runners
      assert.deepStrictEqual(status, {
        pool: Pool.key,
        backend: "memory",
        state: "open",
        min: 1,
        max: 4,
        concurrency: 1,
        runners: [
          {
            id: first!.id,
            state: "ready",
            labels: { runner: first!.id },
            calls: 1,
            age: 5_000,
            phases: first!.phases,
            phase: "ready",
            waitsFor: undefined
          },
          {
            id: second!.id,
            state: "booting",
            labels: {},
            calls: 0,
            age: undefined,
            phases: second!.phases,
            phase: "beforeBoot",
            waitsFor: undefined
          }
        ],
        booting: 1,
        ready: 1,
        draining: 0,
        busySlots: 1,
        freeSlots: 0,
        suspended: 0,
        waiting: 1,
        leases: 0,
        totals: {
          calls: 2,
          succeeded: 0,
          failed: 0,
          interrupted: 0,
          casts: 0,
          castsFailed: 0,
          boots: 1,
          bootsFailed: 0,
          runnersLost: 0,
          queueMillis: 0,
          runMillis: 0
        }
      })
      assert.deepStrictEqual(Object.keys(first!.phases).toSorted(), [
        "beforeBoot",
        "connected",
        "launched",
        "ready",
        "started"
      ])
      yield* finish("a", "b")
      yield* value(a)
      yield* value(b)
      yield* pass("1 minute")
    }
  )

  poolTest(
    "totals sum up the times of its calls",
    { max: 1, before: (faults) => faults.delayBoots("2 seconds") },
    function* ({ pool }) {
      yield* burst("a", "b")
      yield* pass("5 seconds")
      yield* finish("a")
      yield* pass("4 seconds")
      yield* finish("b")
      yield* Effect.flip(Flame.call(refuse, { why: "no" }))
      const { totals } = yield* pool.status
      // Call a waits 2 s and runs 3 s, call b waits 5 s and runs 4 s.
      assert.deepInclude(totals, { calls: 3, succeeded: 2, failed: 1, queueMillis: 7_000, runMillis: 7_000 })
    }
  )

  poolTest("events report each step in order", { maxCalls: 1 }, function* ({ events }) {
    yield* Flame.call(twice, { n: 1 })
    yield* settle
    const runner = events[0]?._tag === "BootStarted" ? events[0].runner : ""
    const [ready] = only(events, "RunnerReady")
    assert.deepStrictEqual(
      events.map((event) => [event._tag, event.pool, "runner" in event ? event.runner : ""]),
      [
        ["BootStarted", Pool.key, runner],
        ["BootProgress", Pool.key, runner],
        ["BootProgress", Pool.key, runner],
        ["BootProgress", Pool.key, runner],
        ["RunnerReady", Pool.key, runner],
        ["RunnerDraining", Pool.key, runner],
        ["RunnerGone", Pool.key, runner]
      ]
    )
    assert.deepStrictEqual(
      only(events, "BootProgress").map(({ phase }) => phase),
      ["launched", "started", "connected"]
    )
    assert.deepInclude(ready, { labels: { runner }, otherBuild: undefined })
  })

  poolTest("metrics are in the registry for as long as the pool exists", { max: 1 }, function* ({ close, pool }) {
    const find = Effect.map(Metric.snapshot, (all) =>
      all.filter(({ attributes, id }) => id.startsWith("flame_") && attributes?.["pool"] === pool.id)
    )
    yield* Flame.call(twice, { n: 1 })
    yield* Effect.flip(Flame.call(refuse, { why: "no" }))
    yield* long("a")
    yield* waiting("b")
    const figure = (all: Effect.Success<typeof find>, id: string) => {
      const state = all.find((_) => _.id === id)?.state as
        | { readonly count?: number; readonly value?: number }
        | undefined
      return state?.count ?? state?.value
    }
    const now = yield* find
    assert.deepStrictEqual(
      [
        "flame_calls_total",
        "flame_calls_failed_total",
        "flame_waiting",
        "flame_busy_slots",
        "flame_runners",
        "flame_booting",
        "flame_boots_total"
      ].map((id) => figure(now, id)),
      [4, 1, 1, 1, 1, 0, 1]
    )
    yield* finish("a", "b")
    yield* close
    assert.deepStrictEqual(yield* find, [])
  })
})

describe("two pools on one backend", () => {
  class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}
  const onGpu = Flame.fn("onGpu", { success: where.success, pool: Gpu }, () => Effect.succeed("gpu"))

  poolTest(
    "have separate runners, and a call goes to its function's pool unless the call names another",
    { serve: [onGpu, where] },
    function* ({ faults }) {
      yield* Effect.provide(
        Effect.gen(function* () {
          assert.strictEqual(yield* Flame.call(onGpu), "gpu")
          assert.deepStrictEqual(
            (yield* faults.list).map(({ pool }) => pool),
            ["app/Gpu"]
          )
          const plain = yield* Flame.call(where)
          assert.strictEqual(yield* Flame.call(onGpu, undefined, { pool: Pool }), "gpu")
          const gpu = yield* Flame.call(where, undefined, { pool: Gpu })
          assert.deepStrictEqual(
            (yield* faults.list).map(({ id, pool }) => [id, pool]),
            [
              [gpu, "app/Gpu"],
              [plain, Pool.key]
            ]
          )
          assert.match(gpu, /^gpu-[0-9a-f]{8}-\d+$/)
        }),
        Gpu.layer({ max: 1 })
      )
      assert.lengthOf(yield* faults.list, 1)
    }
  )
})
