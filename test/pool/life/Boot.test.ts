import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Backend } from "../../../src/backend/Backend.ts"
import { LaunchFailed } from "../../../src/error/BootFailure.ts"
import type { BootOutcome } from "../../../src/pool/option/PoolOptions.ts"
import { Pool } from "../../../src/pool/Pool.ts"

describe("a boot that fails", () => {
  it.effect("leaves no waiter behind, although its backend reports nothing", () => {
    let boots = 0
    let waiting = 0
    const never = Effect.suspend(() => {
      waiting++
      return Effect.onInterrupt(Effect.never, () => Effect.sync(() => void waiting--))
    })
    const backend = Backend.of({
      name: "fake",
      build: "1",
      defaults: { bootTimeout: 1_000, reasonGrace: 0 },
      launch: () =>
        Effect.sync(() => {
          boots++
          return {
            labels: {},
            phases: Stream.empty,
            scheduled: never,
            connection: Effect.fail(new LaunchFailed({ detail: "no" })),
            exit: never,
            bootFailure: () => new LaunchFailed({ detail: "no" }),
            kill: () => Effect.void
          }
        })
    })
    return Effect.gen(function* () {
      yield* Layer.build(Pool.layer({ min: 1 }).pipe(Layer.provide(Layer.succeed(Backend, backend))))
      yield* TestClock.adjust("1 minute")
      assert.isAbove(boots, 1)
      assert.strictEqual(waiting, 0)
    }).pipe(Effect.scoped)
  })
})

describe("a boot that takes too long", () => {
  it.effect("has one bootTimeout for its launch and its connection together [C138]", () => {
    const causes: Array<string> = []
    const backend = Backend.of({
      name: "slow",
      build: "1",
      defaults: { bootTimeout: 10_000, reasonGrace: 0 },
      launch: () =>
        Effect.as(Effect.sleep("6 seconds"), {
          labels: {},
          phases: Stream.empty,
          connection: Effect.never,
          exit: Effect.never,
          bootFailure: () => new LaunchFailed({ detail: "no" }),
          kill: () => Effect.void
        })
    })
    const hooks = { afterBoot: ({ failure }: BootOutcome) => Effect.sync(() => causes.push(String(failure?._tag))) }
    return Effect.gen(function* () {
      yield* Layer.build(Pool.layer({ min: 1, ...hooks }).pipe(Layer.provide(Layer.succeed(Backend, backend))))
      yield* TestClock.adjust("9999 millis")
      assert.deepStrictEqual(causes, [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(causes, ["NeverConnected"])
    }).pipe(Effect.scoped)
  })
})
