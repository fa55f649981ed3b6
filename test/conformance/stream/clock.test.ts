/** Tests of streams in memory under `TestClock`, so that tests of time do not wait. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Latch, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Flame, FlameError, FlameLayer, Pool } from "../../../src/index.ts"
import { MemoryRunners } from "../../../src/testing/index.ts"
import * as F from "./functions.ts"

const layer = FlameLayer.test(F.streamFunctions, { max: 2, concurrency: 2 }).pipe(Layer.provideMerge(F.Offset.layer))

/** Emits byte arrays of one size, in one chunk. */
const alike = Flame.fn(
  "stream/alike",
  { payload: { size: Schema.Int, times: Schema.Int }, success: Schema.Uint8Array, stream: true },
  ({ size, times }) => Stream.fromArray(Array.from({ length: times }, () => new Uint8Array(size)))
)

/** Emits texts of these lengths, in one chunk. */
const texts = Flame.fn(
  "stream/texts",
  { payload: { lengths: Schema.Array(Schema.Int) }, success: Schema.String, stream: true },
  ({ lengths }) => Stream.fromArray(lengths.map((length, index) => `${index}`.padEnd(length, "-")))
)

const times = (count: number, length: number) => Array.from({ length: count }, () => length)

const running = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.gen(function* () {
    const items: Array<A> = []
    const fiber = yield* Effect.forkChild(
      Effect.exit(Stream.runForEach(stream, (item) => Effect.sync(() => void items.push(item))))
    )
    yield* TestClock.adjust(0)
    return { items, fiber }
  })

const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, FlameError.FlameError)
  return error.reason
}

it.layer(layer)("a stream under TestClock", (it) => {
  it.effect("delivers each item at its time [S1]", () =>
    Effect.gen(function* () {
      const { fiber, items } = yield* running(Flame.stream(F.slowly, { to: 3, pause: 1_000 }))
      for (const so of [[], [1], [1, 2], [1, 2, 3]]) {
        assert.deepStrictEqual(items, so)
        yield* TestClock.adjust("1 second")
      }
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
    })
  )

  it.effect("ends at its timeout, whatever it has emitted, without waiting for finalizers [S9]", () =>
    Effect.gen(function* () {
      const stream = Flame.stream(F.slowly, { to: 100, pause: 1_000 }, { timeout: "3500 millis" })
      const { fiber, items } = yield* running(stream)
      yield* TestClock.adjust("3499 millis")
      assert.deepStrictEqual(items, [1, 2, 3])
      yield* TestClock.adjust("1 millis")
      const reason = reasonOf(yield* Fiber.join(fiber))
      assert.isTrue(reason._tag === "TimedOut" && reason.phase === "running" && reason.after === 3_500)
      assert.strictEqual((yield* (yield* Pool).status).busySlots, 0)
    })
  )

  it.effect("frees its slot after its finalizers on the runner, at most cancelGrace later [S7]", () =>
    Effect.gen(function* () {
      const pool = yield* Pool
      const taken = yield* Effect.forkChild(
        Stream.runCollect(Stream.take(Flame.stream(F.hold, { name: "clock", first: 5, cleanup: 2_000 }), 2))
      )
      yield* TestClock.adjust("1999 millis")
      assert.isUndefined(taken.pollUnsafe())
      assert.strictEqual((yield* pool.status).busySlots, 1)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* Fiber.join(taken), [1, 2])
      assert.strictEqual((yield* pool.status).busySlots, 0)
    })
  )

  it.effect("fails with RunnerLost when its runner is lost, after the items that have arrived [S12]", () =>
    Effect.gen(function* () {
      const { fiber, items } = yield* running(Flame.stream(F.hold, { name: "lost", first: 5, cleanup: 0 }))
      yield* (yield* MemoryRunners).lose()
      yield* TestClock.adjust("1 second")
      const reason = reasonOf(yield* Fiber.join(fiber))
      assert.isTrue(reason._tag === "RunnerLost" && reason.mayHaveRun)
      assert.deepStrictEqual(items, [1, 2, 3, 4, 5])
    })
  )
})

it.layer(FlameLayer.test([alike], { maxResult: 1_000 }))("items that are bytes, with a small maxResult", (it) => {
  it.effect("are measured one by one, however they travel [S15]", () =>
    Effect.gen(function* () {
      for (const [size, times] of [
        [100, 200],
        [1_000, 20]
      ] as const) {
        const items = yield* Stream.runCollect(Flame.stream(alike, { size, times }))
        assert.deepStrictEqual([items.length, items[0]?.length], [times, size])
      }
      const reason = reasonOf(yield* Effect.exit(Stream.runCollect(Flame.stream(alike, { size: 1_001, times: 2 }))))
      assert.isTrue(reason._tag === "PayloadTooLarge" && reason.size === 1_001)
    })
  )
})

it.layer(FlameLayer.test([texts], { maxResult: 65_536 }))("items of which only a few fit into maxResult", (it) => {
  it.effect("all arrive if each of them fits [S15]", () =>
    Effect.gen(function* () {
      const items = yield* Stream.runCollect(Flame.stream(texts, { lengths: times(40, 10_000) }))
      assert.deepStrictEqual([items.length, items.every(({ length }) => length === 10_000)], [40, true])
    })
  )

  it.effect("arrive if they precede an item that is too large [S15]", () =>
    Effect.gen(function* () {
      const lengths = [...times(100, 10), ...times(9, 10_000), 70_000, ...times(20, 10)]
      const { fiber, items } = yield* running(Flame.stream(texts, { lengths }))
      const reason = reasonOf(yield* Fiber.join(fiber))
      assert.isTrue(reason._tag === "PayloadTooLarge" && reason.limit === 65_536 && reason.size > 65_536)
      assert.lengthOf(items, 109)
    })
  )
})

it.layer(FlameLayer.test([texts]))("large items behind many small ones", (it) => {
  it.effect("arrive in several messages, not in one [S5]", () =>
    Effect.gen(function* () {
      const chunks: Array<number> = []
      const stream = Flame.stream(texts, { lengths: [...times(5_000, 10), ...times(20, 400_000), ...times(5_000, 10)] })
      yield* Stream.runForEachArray(stream, (chunk) =>
        Effect.sync(() => void chunks.push(chunk.length === 1 ? 0 : chunk.reduce((sum, { length }) => sum + length, 0)))
      )
      // At most the items that are encoded together, and as many again that arrived meanwhile. A single item may be
      // larger.
      assert.isBelow(Math.max(...chunks), 200_000)
    })
  )
})

const brief = FlameLayer.test(F.streamFunctions, { drainTimeout: "10 seconds", cancelGrace: "2 seconds" }).pipe(
  Layer.provideMerge(F.Offset.layer)
)

it.layer(brief)("a stream that reaches the end of a drain", (it) => {
  it.effect("is cut after its finalizers on the runner, and fails with the reason why its runner ended [S11]", () =>
    Effect.gen(function* () {
      const { fiber, items } = yield* running(Flame.stream(F.hold, { name: "cut", first: 5, cleanup: 1_000 }))
      yield* (yield* MemoryRunners).terminate()
      yield* TestClock.adjust("10 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      const reason = reasonOf(yield* Fiber.join(fiber))
      assert.isTrue(reason._tag === "RunnerLost" && reason.mayHaveRun)
      assert.deepStrictEqual(items, [1, 2, 3, 4, 5])
    })
  )

  it.effect("whose consumer has stopped pulling fails with RunnerLost, and does not look complete [S11]", () =>
    Effect.gen(function* () {
      const items: Array<number> = []
      const gate = yield* Latch.make(false)
      // More items than a window: the function waits for room, or has ended with items that wait for room.
      const fiber = yield* Effect.forkChild(
        Effect.exit(
          Stream.runForEach(Flame.stream(F.count, { to: 200_000 }), (item) =>
            Effect.andThen(
              Effect.sync(() => void items.push(item)),
              gate.await
            )
          )
        )
      )
      yield* TestClock.adjust(0)
      yield* (yield* MemoryRunners).terminate()
      yield* TestClock.adjust("12 seconds")
      assert.strictEqual((yield* (yield* MemoryRunners).list).length, 0)
      yield* gate.open
      const reason = reasonOf(yield* Fiber.join(fiber))
      assert.strictEqual(reason._tag, "RunnerLost")
      assert.isAbove(items.length, 1_000)
      assert.isBelow(items.length, 200_000)
      assert.isTrue(items.every((item, index) => item === index + 1))
    })
  )
})
