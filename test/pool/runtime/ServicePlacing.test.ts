/** Tests of placed services as their owner's pool sees them, in memory under `TestClock`. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Rpc, RpcGroup } from "effect/rpc"
import { Flame, FlameError, FlameLayer, Pool } from "../../../src/index.ts"

class One extends RpcGroup.make(Rpc.make("one", { success: Schema.Int })) {}

const handlers = { one: () => Effect.succeed(1) }

const quick = Flame.service("placing/quick", { group: One }, () => One.toLayer(handlers))

/** A service that is never built, and whose finalizers take two seconds. */
const slow = Flame.service("placing/slow", { group: One }, () =>
  One.toLayer(
    Effect.as(
      Effect.onInterrupt(Effect.never, () => Effect.sleep("2 seconds")),
      handlers
    )
  )
)

const layer = FlameLayer.test([quick, slow], { max: 2, cancelGrace: "5 seconds" })

const totals = Effect.map(
  Effect.flatMap(Pool, (pool) => pool.status),
  ({ busySlots, totals: { calls, failed, interrupted, succeeded } }) => ({
    calls,
    succeeded,
    failed,
    interrupted,
    busySlots
  })
)

const isTimedOut = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof FlameError.FlameError && error.reason._tag === "TimedOut"
}

it.effect("a Scope that closes while it builds a placed service ends once the finalizers have run [C120]", () =>
  Effect.gen(function* () {
    // Loads the modules for placed services first.
    yield* Effect.scoped(Flame.place(quick))
    const scope = yield* Scope.make()
    yield* Effect.provideService(Effect.forkScoped(Flame.place(slow)), Scope.Scope, scope)
    yield* TestClock.adjust("1 second")
    // Two waiters for one end: the finalizer of `place`, and the fiber that runs it.
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* TestClock.adjust("1999 millis")
    assert.isUndefined(closing.pollUnsafe())
    yield* TestClock.adjust("1 millis")
    yield* Fiber.join(closing)
    assert.deepStrictEqual(yield* totals, { calls: 2, succeeded: 1, failed: 0, interrupted: 1, busySlots: 0 })
  }).pipe(Effect.provide(layer))
)

it.effect(
  "a Flame.place over its timeout fails with TimedOut at once, and its finalizers run in the background [C121]",
  () =>
    Effect.gen(function* () {
      yield* Effect.scoped(Flame.place(quick))
      const placing = yield* Effect.forkChild(
        Effect.exit(Effect.scoped(Flame.place(slow, undefined, { timeout: "3 seconds" })))
      )
      yield* TestClock.adjust("3 seconds")
      const exit = placing.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit) && isTimedOut(exit.value))
      assert.strictEqual((yield* totals).busySlots, 1)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* totals, { calls: 2, succeeded: 1, failed: 1, interrupted: 0, busySlots: 0 })
    }).pipe(Effect.provide(layer))
)

it.effect("a placed service that ends with its owner's Scope counts as succeeded [C122]", () =>
  Effect.gen(function* () {
    yield* Effect.scoped(Effect.flatMap(Flame.place(quick), (client) => client.one()))
    assert.deepStrictEqual(yield* totals, { calls: 1, succeeded: 1, failed: 0, interrupted: 0, busySlots: 0 })
  }).pipe(Effect.provide(layer))
)
