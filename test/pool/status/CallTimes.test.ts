import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { MemoryRunners } from "../../../src/backend/MemoryBackend.ts"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { bootSteps } from "../../../src/pool/runtime/CallExplain.ts"
import type { CallTimes } from "../../../src/pool/status/CallTimes.ts"
import { pass, settle } from "../../conformance/memory/harness.ts"

const nap = Flame.fn("nap", { payload: { millis: Schema.Int }, error: Schema.String }, ({ millis }) =>
  millis < 0 ? Effect.fail("no") : Effect.sleep(millis)
)

const told = () => {
  const times: Array<CallTimes> = []
  return { times, explain: Flame.explain((one) => void times.push(one)) }
}

describe("explain", () => {
  it.effect("reports where the time of a call that booted a runner went", () =>
    Effect.gen(function* () {
      const { explain, times } = told()
      yield* (yield* MemoryRunners).delayBoots("2 seconds")
      const call = yield* Effect.forkChild(explain(Flame.call(nap, { millis: 500 })), { startImmediately: true })
      yield* pass("2 seconds")
      yield* pass("500 millis")
      yield* Fiber.join(call)
      const [one] = times
      assert.deepInclude(one, {
        pool: "effect-flame/Pool",
        function: "nap",
        outcome: "succeeded",
        total: 2_500,
        queued: 0,
        carried: 0,
        ran: 500
      })
      assert.deepStrictEqual(one?.boot, [
        ["launched", 2_000],
        ["started", 0],
        ["connected", 0],
        ["ready", 0]
      ])
      assert.strictEqual(
        String(one),
        `nap succeeded after 2500 ms on ${one?.runner}: queued 0 ms, boot 2000 ms (launched 2000 ms, started 0 ms, connected 0 ms, ready 0 ms), carried 0 ms, ran 500 ms`
      )
    }).pipe(Effect.provide(FlameLayer.test([nap])))
  )

  it.effect("reports every call inside, how long one waited for another's slot, and how each ended", () =>
    Effect.gen(function* () {
      const { explain, times } = told()
      const calls = Effect.all(
        [
          Flame.call(nap, { millis: 300 }),
          Effect.flip(Flame.call(nap, { millis: -1 })),
          Effect.flip(Flame.call(nap, { millis: 9_000 }, { timeout: "1 second" }))
        ],
        { concurrency: "unbounded", discard: true }
      )
      const fiber = yield* Effect.forkChild(explain(calls), { startImmediately: true })
      yield* pass("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        times.map(({ outcome, queued, ran, total }) => ({ outcome, queued, ran, total })),
        [
          { outcome: "succeeded", queued: 0, ran: 300, total: 300 },
          { outcome: "failed", queued: 300, ran: 0, total: 300 },
          { outcome: "failed", queued: 300, ran: undefined, total: 1_000 }
        ]
      )
      assert.match(String(times[2]), /^nap failed after 1000 ms on pool-.*: queued 300 ms, sent, without an answer$/)
    }).pipe(Effect.provide(FlameLayer.test([nap], { max: 1, min: 1, awaitMin: true })))
  )

  it.effect("reports a call that was never sent, and the boot that the call waited for", () =>
    Effect.gen(function* () {
      const { explain, times } = told()
      yield* (yield* MemoryRunners).delayBoots("1 minute")
      const call = yield* Effect.forkChild(explain(Flame.call(nap, { millis: 1 })), { startImmediately: true })
      yield* settle
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.interrupt(call)
      assert.strictEqual(
        String(times[0]),
        "nap interrupted after 5000 ms on effect-flame/Pool: queued 0 ms, boot 5000 ms (not there yet 5000 ms), never sent"
      )
    }).pipe(Effect.provide(FlameLayer.test([nap])))
  )

  it.effect("does not report calls outside, also if they were made by the same code before", () =>
    Effect.gen(function* () {
      const { explain, times } = told()
      const call = Flame.call(nap, { millis: 0 })
      const both = Effect.andThen(call, Effect.andThen(explain(call), call))
      const fiber = yield* Effect.forkChild(Effect.andThen(both, both), { startImmediately: true })
      yield* pass("1 second")
      yield* Fiber.join(fiber)
      assert.strictEqual(times.length, 2)
    }).pipe(Effect.provide(FlameLayer.test([nap])))
  )

  it.effect("reports casts too", () =>
    Effect.gen(function* () {
      const { explain, times } = told()
      yield* explain(Flame.cast(nap, { millis: 100 }))
      yield* pass("1 second")
      assert.deepStrictEqual(
        times.map(({ outcome, ran }) => [outcome, ran]),
        [["succeeded", 100]]
      )
    }).pipe(Effect.provide(FlameLayer.test([nap])))
  )

  it.effect("does not affect the answer of a call if its callback fails", () =>
    Effect.gen(function* () {
      const failing = Flame.explain(Flame.call(nap, { millis: 0 }), () => {
        throw new Error("no")
      })
      const fiber = yield* Effect.forkChild(failing, { startImmediately: true })
      yield* pass("1 second")
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(FlameLayer.test([nap])))
  )
})

describe("the steps of a boot that a call waited for", () => {
  const runner = { startedAt: 1_000, readyAt: 1_900, phases: { ready: 900, started: 100, imported: 600 } }

  it("are in order, each from the previous one to itself", () => {
    assert.deepStrictEqual(bootSteps(runner, 1_000, 1_900), [
      ["started", 100],
      ["imported", 500],
      ["ready", 300]
    ])
  })

  it("count from the call on, if the boot started before the call", () => {
    assert.deepStrictEqual(bootSteps(runner, 1_300, 1_950), [
      ["imported", 300],
      ["ready", 300]
    ])
    assert.deepStrictEqual(bootSteps(runner, 2_000, 2_100), [])
  })
})
