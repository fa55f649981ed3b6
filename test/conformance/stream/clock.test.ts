/** Streams in memory under `TestClock`: what takes time takes none. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Flame, FlameError, FlameLayer, Pool } from "../../../src/index.ts"
import { MemoryRunners } from "../../../src/testing/index.ts"
import * as F from "./functions.ts"

const layer = FlameLayer.test(F.streamFunctions, { max: 2, concurrency: 2 }).pipe(Layer.provideMerge(F.Offset.layer))

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
  it.effect("gives an item when its time has come [S1]", () =>
    Effect.gen(function* () {
      const { fiber, items } = yield* running(Flame.stream(F.slowly, { to: 3, pause: 1_000 }))
      for (const so of [[], [1], [1, 2], [1, 2, 3]]) {
        assert.deepStrictEqual(items, so)
        yield* TestClock.adjust("1 second")
      }
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(fiber)))
    })
  )

  it.effect("ends at its budget, whatever it has given, and waits for nobody [S9]", () =>
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

  it.effect("gives its slot back after the finalizers there, at most cancelGrace later [S7]", () =>
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

  it.effect("is told that its runner was lost after what has come [S12]", () =>
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
