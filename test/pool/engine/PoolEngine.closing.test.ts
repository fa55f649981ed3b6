import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue, Schema, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Backend } from "../../../src/backend/Backend.ts"
import { LaunchFailed } from "../../../src/error/BootFailure.ts"
import * as MemoryBackend from "../../../src/backend/MemoryBackend.ts"
import { Flame } from "../../../src/index.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import type { PoolEvent } from "../../../src/pool/status/PoolEvent.ts"
import { OutOfMemory } from "../../../src/error/RunnerExit.ts"

describe("a pool that closes", () => {
  it.effect(
    "starts no boot that was decided in the same turn, and waits for the boots that it has started [C95]",
    () => {
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
          // As a runner that ends at the same moment as its parent.
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
    }
  )

  it.effect("does not wait for a reason that its backend never reports, once its calls have had their time", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const held = Flame.fn("held", { success: Schema.Void }, () =>
        Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
      )
      const mute = Layer.effect(
        Backend,
        Effect.map(Backend, (backend) => ({
          ...backend,
          defaults: { ...backend.defaults, reasonGrace: 3_000 },
          launch: (spec) => Effect.map(backend.launch(spec), (process) => ({ ...process, exit: Effect.never }))
        }))
      ).pipe(Layer.provide(MemoryBackend.layer({ functions: [held] })))
      yield* Effect.gen(function* () {
        const pool = yield* Pool
        const calling = yield* Effect.forkChild(Effect.exit(Flame.call(held)))
        yield* Deferred.await(started)
        const closing = yield* Effect.forkChild(pool.drain, { startImmediately: true })
        yield* TestClock.adjust("29 seconds")
        assert.isUndefined(calling.pollUnsafe())
        yield* TestClock.adjust("1 second")
        assert.isDefined(calling.pollUnsafe())
        assert.isUndefined(closing.pollUnsafe())
        yield* TestClock.adjust("500 millis")
        assert.isDefined(closing.pollUnsafe())
      }).pipe(Effect.provide(Pool.layer({ drainTimeout: "30 seconds" }).pipe(Layer.provide(mute))))
    })
  )

  it.effect("reports to callers whose calls were cut why their runner ended while finalizers ran", () =>
    Effect.gen(function* () {
      const started = yield* Deferred.make<void>()
      const held = Flame.fn("held", { success: Schema.Void }, () =>
        Effect.onInterrupt(Effect.andThen(Deferred.succeed(started, undefined), Effect.never), () =>
          Effect.sleep("4 seconds")
        )
      )
      // As on Kubernetes: the connection ends, and the watch reports the reason a while later.
      const killed = yield* Deferred.make<void>()
      let kill = (): void => assert.fail("there is no connection")
      const oom = Effect.delay(Effect.succeed({ reason: new OutOfMemory({}), gone: true }), "300 millis")
      const telling = Layer.effect(
        Backend,
        Effect.map(Backend, (backend) => ({
          ...backend,
          defaults: { ...backend.defaults, reasonGrace: 3_000 },
          launch: (spec) =>
            Effect.map(backend.launch(spec), (process) => ({
              ...process,
              connection: Effect.tap(process.connection, (transport) =>
                Effect.sync(() => {
                  kill = () => {
                    transport.destroy()
                    Deferred.doneUnsafe(killed, Exit.void)
                  }
                })
              ),
              exit: Effect.andThen(Deferred.await(killed), oom)
            }))
        }))
      ).pipe(Layer.provide(MemoryBackend.layer({ functions: [held] })))
      yield* Effect.gen(function* () {
        const pool = yield* Pool
        const calling = yield* Effect.forkChild(Effect.flip(Flame.call(held)))
        yield* Deferred.await(started)
        const closing = yield* Effect.forkChild(pool.drain, { startImmediately: true })
        yield* TestClock.adjust("31 seconds")
        assert.isUndefined(calling.pollUnsafe())
        kill()
        yield* TestClock.adjust("300 millis")
        const { reason } = yield* Fiber.join(calling)
        assert.strictEqual(reason._tag, "RunnerLost")
        assert.strictEqual(reason._tag === "RunnerLost" && reason.exit._tag, "OutOfMemory")
        yield* Fiber.join(closing)
      }).pipe(Effect.provide(Pool.layer({ drainTimeout: "30 seconds" }).pipe(Layer.provide(telling))))
    })
  )
})
