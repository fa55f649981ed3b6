/** Tests of a runner that must leave for a reason outside its pool, as its backend reports. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Option, Scheduler, Schema, Scope, Stream } from "effect"
import { Backend, type Leaving } from "../../../src/backend/Backend.ts"
import { Evicted } from "../../../src/error/RunnerExit.ts"
import * as MemoryBackend from "../../../src/backend/MemoryBackend.ts"
import { Flame } from "../../../src/index.ts"
import { Current } from "../../../src/function/Current.ts"
import { Pool } from "../../../src/pool/Pool.ts"

describe("a boot that is given up near the end of its handshake", () => {
  it.effect("ends at once, in whatever turn it is given up or told to leave [C242]", () =>
    Effect.gen(function* () {
      const where = Flame.fn("where", { success: Schema.String }, () => Effect.map(Current, ({ id }) => id))
      const ends = new Set<string | undefined>()
      for (let turns = 0; turns < 60; turns++) {
        const [tags, scope] = [[] as Array<string>, yield* Scope.make()]
        const pools = Pool.layer({ min: 1, max: 1 }).pipe(Layer.provide(MemoryBackend.layer({ functions: [where] })))
        const building = Layer.buildWithScope(Layer.fresh(pools), scope)
        // The fibers of the pool yield at every step, as a fiber that has run for long may do.
        const pool = Context.get(yield* Effect.provideService(building, Scheduler.MaxOpsBeforeYield, 3), Pool)
        const connected = yield* Deferred.make<void>()
        const reading = yield* Stream.runForEach(pool.events, (event) => {
          tags.push(event._tag)
          return event._tag === "BootProgress" ? Deferred.succeed(connected, undefined) : Effect.void
        }).pipe(Effect.forkChild({ startImmediately: true }))
        yield* Deferred.await(connected)
        for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow
        // No time passes, so no runner is killed at the end of a drain.
        yield* Scope.close(scope, Exit.void)
        yield* Fiber.join(reading)
        ends.add(tags.at(-1))
      }
      assert.deepStrictEqual([...ends], ["BootGivenUp", "RunnerGone"])
    })
  )
})

describe("a runner whose backend reports that it must leave", () => {
  it.effect("gets no call from a caller that calls at that moment", () =>
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
      // Only the first runner must leave.
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
