/** What becomes of a runner that somebody else than its pool wants gone, as the backend tells it. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Option, Schema, Stream } from "effect"
import { Backend, type Leaving } from "../../../src/backend/Backend.ts"
import { Evicted } from "../../../src/error/RunnerExit.ts"
import * as MemoryBackend from "../../../src/backend/MemoryBackend.ts"
import { Flame } from "../../../src/index.ts"
import { Current } from "../../../src/function/Current.ts"
import { Pool } from "../../../src/pool/Pool.ts"

describe("a runner that is told to leave", () => {
  it.effect("gets no call of one who calls as soon as that is heard", () =>
    Effect.gen(function* () {
      const left = yield* Deferred.make<Leaving>()
      const [started, end] = [yield* Deferred.make<string>(), yield* Deferred.make<void>()]
      const where = Flame.fn("where", { success: Schema.String }, () => Effect.map(Current, ({ id }) => id))
      const held = Flame.fn("held", { success: Schema.Void }, () =>
        Effect.gen(function* () {
          yield* Deferred.succeed(started, (yield* Current).id)
          yield* Deferred.await(end)
        })
      )
      // only the first is told to
      let launched = 0
      const memory = MemoryBackend.layer({ functions: [where, held] })
      const leaving = Layer.effect(
        Backend,
        Effect.map(Backend, (backend) => ({
          ...backend,
          launch: (spec) =>
            Effect.map(backend.launch(spec), (process) =>
              launched++ > 0 ? process : { ...process, leaving: Deferred.await(left) }
            )
        }))
      ).pipe(Layer.provide(memory))
      yield* Effect.gen(function* () {
        const pool = yield* Pool
        const holding = yield* Effect.forkChild(Flame.call(held))
        const first = yield* Deferred.await(started)
        const heard = pool.events.pipe(
          Stream.filter(({ _tag }) => _tag === "RunnerLeaving"),
          Stream.mapEffect(() => Flame.call(where)),
          Stream.runHead
        )
        const calling = yield* Effect.forkChild(heard, { startImmediately: true })
        yield* Deferred.succeed(left, {
          why: "its node goes",
          budget: 1_000,
          reason: new Evicted({ detail: "its node goes" })
        })
        const second = yield* Fiber.join(calling)
        assert.strictEqual(second._tag, "Some")
        assert.notStrictEqual(Option.getOrUndefined(second), first)
        yield* Deferred.succeed(end, undefined)
        yield* Fiber.join(holding)
      }).pipe(Effect.provide(Pool.layer({ max: 2, concurrency: 2 }).pipe(Layer.provide(leaving))))
    })
  )
})
