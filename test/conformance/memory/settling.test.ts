import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Layer from "effect/Layer"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import * as FlameRunner from "../../../src/FlameRunner.ts"
import { MemoryRunners } from "../../../src/backend/MemoryBackend.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import type { PoolOptions } from "../../../src/pool/option/PoolOptions.ts"

class Other extends Flame.PoolService<Other>()("test/Other") {}

const here = Effect.map(FlameRunner.Current, ({ id }) => id)
const who = Flame.fn("who", { success: Schema.String }, () => here)
const slow = Flame.fn("slow", {}, () => Effect.never)
const missing = Flame.contract("missing", {})
const seen: Array<number | undefined> = []
const first = Flame.fn("first", { payload: Schema.Uint8Array }, (bytes) => Effect.sync(() => void seen.push(bytes[0])))
const again = Flame.fn("again", { idempotent: true }, () => Effect.never)

const status = Effect.flatMap(Pool, (pool) => pool.status)

/** The layer of a pool for one test. */
const on = (options: PoolOptions) => FlameLayer.test([who, slow, first, again], options)

describe("an answer", () => {
  it.effect(
    "is not delivered in the middle of a step of the pool: a call that another's answer interrupts is never sent",
    () =>
      Effect.gen(function* () {
        const both = Effect.all([Flame.call(missing), Flame.call(slow)], { concurrency: "unbounded" })
        const error = yield* Effect.flip(both)
        assert.strictEqual(error.reason._tag, "FunctionMissing")
        // At once, and on the runner that existed: no call hung, and no runner was killed.
        yield* Flame.call(who)
        assert.strictEqual(yield* (yield* MemoryRunners).launched, 1)
        const { busySlots, totals } = yield* status
        assert.deepStrictEqual([busySlots, totals.failed], [0, 1])
      }).pipe(Effect.provide(on({ max: 1, concurrency: 2 })))
  )

  it.effect("that ends a withRunner interrupts the next call inside, which is never sent", () =>
    Effect.gen(function* () {
      const winner = yield* Effect.raceFirst(Pool.withRunner(Effect.succeed("lease")), Flame.call(slow))
      assert.strictEqual(winner, "lease")
      yield* Flame.call(who)
      assert.strictEqual(yield* (yield* MemoryRunners).launched, 1)
      assert.strictEqual((yield* status).leases, 0)
    }).pipe(Effect.provide(on({ max: 1, concurrency: 2 })))
  )
})

describe("withRunner", () => {
  it.effect("keeps its runner while a withRunner of another pool is nested inside", () =>
    Effect.gen(function* () {
      const calls = Effect.all([Flame.call(who), Flame.call(who), Flame.call(who)], { concurrency: "unbounded" })
      const [one, ...others] = yield* Pool.withRunner(Other.withRunner(calls))
      assert.deepStrictEqual(others, [one, one])
    }).pipe(Effect.provide(Layer.provideMerge(Other.layer({ max: 2 }), on({ max: 3, min: 3, awaitMin: true }))))
  )

  it.effect("fails an idempotent call with mayHaveRun: true when its runner is lost", () =>
    Effect.gen(function* () {
      const faults = yield* MemoryRunners
      const fiber = yield* Effect.forkChild(Effect.flip(Pool.withRunner(Flame.call(again))), { startImmediately: true })
      yield* Effect.repeat(status, { until: ({ busySlots }) => busySlots === 1 })
      yield* faults.lose()
      const { reason } = yield* Fiber.join(fiber)
      assert(reason._tag === "RunnerLost")
      assert.deepStrictEqual([reason.mayHaveRun, reason.exit._tag], [true, "Killed"])
    }).pipe(Effect.provide(on({ max: 1 })))
  )
})

describe("a cast", () => {
  it.effect("owns its payload: later changes of the caller's bytes do not reach the runner", () =>
    Effect.gen(function* () {
      const bytes = Uint8Array.of(1)
      yield* Flame.cast(first, bytes)
      bytes[0] = 99
      // The runner has one slot, so this call is served after the cast.
      yield* Flame.call(first, Uint8Array.of(7))
      assert.deepStrictEqual(seen, [1, 7])
    }).pipe(Effect.provide(on({ max: 1 })))
  )
})
