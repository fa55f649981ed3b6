/** Tests of how calls enter a pool and how their callers leave, in memory under `TestClock`. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schema, Scope, Stream, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { Rpc, RpcGroup } from "effect/rpc"
import { Flame, FlameLayer, Pool } from "../../../src/index.ts"

class One extends RpcGroup.make(Rpc.make("one", { success: Schema.Int })) {}

const placed = Flame.service("start/placed", { group: One }, () => One.toLayer({ one: () => Effect.succeed(1) }))

const one = Flame.fn("start/one", { success: Schema.Int }, () => Effect.succeed(1))

/** Emits an item, and then waits for ever. Its finalizers take two seconds. */
const slowly = Flame.fn("start/slowly", { success: Schema.Int, stream: true }, () =>
  Stream.concat(
    Stream.make(1),
    Stream.fromEffect(Effect.onInterrupt(Effect.never, () => Effect.sleep("2 seconds")) as Effect.Effect<number>)
  )
)

const layer = FlameLayer.test([one, slowly, placed], { max: 2, cancelGrace: "5 seconds" })

const status = Effect.flatMap(Pool, (pool) => pool.status)

it.effect("calls in a context that has placed a service have spans as before [C123]", () => {
  const names: Array<string> = []
  const tracer = Tracer.make({
    span: (options) => {
      names.push(options.name)
      return new Tracer.NativeSpan(options)
    }
  })
  return Effect.scoped(
    Effect.gen(function* () {
      yield* Flame.place(placed)
      yield* Flame.cast(one)
      for (let call = 0; call < 3; call++) yield* Flame.call(one)
      assert.strictEqual(names.filter((name) => name === "Flame.call").length, 3)
    })
  ).pipe(Effect.provide(layer), Effect.provideService(Tracer.Tracer, tracer))
})

it.effect(
  "a stream over its timeout fails with TimedOut at once, and its finalizers run in the background [C121]",
  () =>
    Effect.gen(function* () {
      const taking = yield* Effect.forkChild(
        Effect.exit(Stream.runDrain(Flame.stream(slowly, undefined, { timeout: "3 seconds" })))
      )
      yield* TestClock.adjust("3 seconds")
      const exit = taking.pollUnsafe()
      assert.isTrue(exit !== undefined && Exit.isSuccess(exit))
      const error = yield* Effect.flip(Effect.flatten(Fiber.join(taking)))
      assert.strictEqual(error.reason._tag, "TimedOut")
      assert.strictEqual((yield* status).busySlots, 1)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* status).busySlots, 0)
    }).pipe(Effect.provide(layer))
)

it.effect("a pull that waits for items is interrupted when the Scope of its stream is closed elsewhere [C124]", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const pull = yield* Effect.provideService(Stream.toPull(Flame.stream(slowly)), Scope.Scope, scope)
    yield* pull
    const waiting = yield* Effect.forkChild(Effect.exit(pull), { startImmediately: true })
    yield* TestClock.adjust(0)
    assert.isUndefined(waiting.pollUnsafe())
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
    yield* TestClock.adjust("2 seconds")
    const exit = yield* Fiber.join(waiting)
    // The interruption is not the end of the whole stream.
    assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    yield* Fiber.join(closing)
  }).pipe(Effect.provide(layer))
)

it.effect("a stream whose reader took enough counts as succeeded, an interrupted one as interrupted [C122]", () =>
  Effect.gen(function* () {
    const taken = yield* Effect.forkChild(Stream.runCollect(Stream.take(Flame.stream(slowly), 1)))
    yield* TestClock.adjust("2 seconds")
    assert.deepStrictEqual(yield* Fiber.join(taken), [1])
    const interrupted = yield* Effect.forkChild(Stream.runDrain(Flame.stream(slowly)))
    yield* TestClock.adjust(0)
    const stopping = yield* Effect.forkChild(Fiber.interrupt(interrupted), { startImmediately: true })
    yield* TestClock.adjust("2 seconds")
    yield* Fiber.join(stopping)
    const { totals } = yield* status
    assert.deepStrictEqual([totals.calls, totals.succeeded, totals.failed, totals.interrupted], [2, 1, 0, 1])
  }).pipe(Effect.provide(layer))
)
