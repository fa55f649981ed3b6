/** Tests of a call that is cut by the drain of its runner, as on SIGTERM or `maxLifetime`. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Flame, FlameLayer } from "../../../src/index.ts"
import { MemoryRunners } from "../../../src/testing/index.ts"

/** Calls a function that never ends, drains its first runner, and returns how often the function ran. */
const drained = (idempotent: boolean) =>
  Effect.gen(function* () {
    const started = yield* Deferred.make<void>()
    let runs = 0
    const endless = Flame.fn("endless", { success: Schema.Int, idempotent }, () =>
      Effect.suspend(() => {
        if (++runs > 1) return Effect.succeed(runs)
        return Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
      })
    )
    const exit = yield* Effect.gen(function* () {
      const call = yield* Effect.forkChild(Flame.call(endless))
      yield* Deferred.await(started)
      yield* (yield* MemoryRunners).terminate()
      yield* TestClock.adjust("2 seconds")
      return yield* Effect.result(Fiber.join(call))
    }).pipe(Effect.provide(FlameLayer.test([endless], { drainTimeout: "2 seconds" })))
    return { runs, exit }
  })

describe("a call that was cut by the drain of its runner", () => {
  it.effect("is resent if it is idempotent", () =>
    Effect.gen(function* () {
      const { exit, runs } = yield* drained(true)
      assert.deepStrictEqual([exit._tag, runs], ["Success", 2])
    })
  )

  it.effect("fails if it is not idempotent", () =>
    Effect.gen(function* () {
      const { exit, runs } = yield* drained(false)
      assert.strictEqual(runs, 1)
      assert.strictEqual(exit._tag === "Failure" && exit.failure.reason._tag, "RunnerLost")
    })
  )
})
