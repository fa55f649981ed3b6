import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Queue, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Backend } from "../../src/backend/Backend.ts"
import { LaunchFailed } from "../../src/BootFailure.ts"
import { Pool } from "../../src/pool/Pool.ts"
import type { PoolEvent } from "../../src/pool/PoolEvent.ts"

describe("a pool that closes", () => {
  it.effect("begins no boot that was decided on in the same turn, and hides none behind its end [C95]", () => {
    let launched = 0
    const backend = Backend.of({
      name: "fake",
      build: "1",
      defaults: { bootTimeout: 1_000, reasonGrace: 0 },
      launch: () =>
        Effect.sync(() => {
          launched++
          return {
            labels: {},
            phases: Stream.empty,
            connection: Effect.never,
            exit: Effect.never,
            bootFailure: () => new LaunchFailed({ detail: "no" }),
            kill: () => Effect.void
          }
        })
    })
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const layer = Pool.layer({ max: 2 }).pipe(Layer.provide(Layer.succeed(Backend, backend)))
      const context = yield* Layer.buildWithScope(layer, scope)
      const told = yield* Queue.unbounded<PoolEvent>()
      yield* Effect.gen(function* () {
        const pool = yield* Pool
        yield* Effect.forkChild(
          Stream.runForEach(pool.events, (event) => Queue.offer(told, event)),
          { startImmediately: true }
        )
        // as a runner that is told to go at the moment at which its parent is
        yield* pool.resize({ min: 1 })
        assert.strictEqual((yield* pool.status).booting, 1)
        yield* pool.drain
        yield* TestClock.adjust("1 second")
        assert.strictEqual((yield* pool.status).booting, 0)
      }).pipe(Effect.provideContext(context))
      yield* Scope.close(scope, Exit.void)
      const tags = (yield* Queue.takeAll(told)).map(({ _tag }) => _tag)
      assert.deepStrictEqual(tags, ["PoolClosing"])
      assert.strictEqual(launched, 0)
    })
  })
})
