/** Tests of a pool's events whose reader falls behind, in memory under `TestClock`. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Flame, FlameLayer, Pool } from "../../../src/index.ts"

const one = Flame.fn("runtime/one", { success: Schema.Int }, () => Effect.succeed(1))

it.effect("a slow reader of events gets the buffered events before the end [C132]", () =>
  Effect.gen(function* () {
    const pool = yield* Pool
    const seen: Array<string> = []
    const reader = yield* Effect.forkChild(
      Stream.runForEach(pool.events, ({ _tag }) =>
        Effect.andThen(
          Effect.sleep(1_000),
          Effect.sync(() => seen.push(_tag))
        )
      ),
      { startImmediately: true }
    )
    yield* Flame.call(one)
    yield* pool.drain
    assert.deepStrictEqual(seen, [])
    assert.strictEqual((yield* pool.status).state, "closed")
    yield* TestClock.adjust("1 minute")
    yield* Fiber.join(reader)
    assert.strictEqual(seen[0], "BootStarted")
    assert.strictEqual(seen.at(-1), "RunnerGone")
    // A reader that starts after the end gets the end.
    assert.deepStrictEqual(yield* Stream.runCollect(pool.events), [])
  }).pipe(Effect.provide(FlameLayer.test([one])))
)
