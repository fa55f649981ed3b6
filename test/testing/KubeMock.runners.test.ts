import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import type { Backend } from "../../src/backend/Backend.ts"
import type { KubeUnconfigured } from "../../src/kubernetes/api/KubeError.ts"
import type { KubeClient } from "../../src/kubernetes/api/KubeClient.ts"
import * as KubernetesBackend from "../../src/kubernetes/KubernetesBackend.ts"
import { Pool, PoolService } from "../../src/pool/Pool.ts"
import * as PodScript from "../../src/testing/PodScript.ts"
import * as ApiErrors from "../../src/testing/ApiErrors.ts"
import type { PoolEvent } from "../../src/pool/status/PoolEvent.ts"
import { KubeMock } from "../../src/testing/KubeMock.ts"

class Greeting extends Context.Service<Greeting, { readonly of: (name: string) => string }>()("test/Greeting") {}

const greet = Flame.fn("greet", { payload: { name: Schema.String }, success: Schema.String }, ({ name }) =>
  Effect.map(Greeting, (greeting) => greeting.of(name))
)

const nap = Flame.fn("nap", { payload: { millis: Schema.Int }, success: Schema.String }, ({ millis }) =>
  Effect.as(Effect.sleep(millis), "rested")
)

const mocked = KubeMock.layer({ functions: [greet, nap] }).pipe(
  Layer.provide(Layer.succeed(Greeting, { of: (name) => `hello ${name}` }))
)

const options = { image: "app:1", max: 1, drainTimeout: 0, cancelGrace: 0 } as const

/** Lets real sockets make progress, which TestClock does not move, until the condition holds. */
const realTurns = (isDone: () => boolean) =>
  Effect.gen(function* () {
    while (!isDone()) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  })

describe("runners in the pods of a KubeMock", () => {
  for (const [way, more] of [
    ["through the API server", {}],
    ["by dialling their parent", { advertise: "127.0.0.1", port: 0 }],
    ["with keys in their pods", { advertise: "127.0.0.1", port: 0, key: "env" }]
  ] as const) {
    it.effect(`serve calls ${way}, and the layer closes under TestClock [C165]`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* Flame.call(greet, { name: "you" }), "hello you")
        assert.lengthOf(yield* (yield* KubeMock).pods, 1)
      }).pipe(
        Effect.provide(
          FlameLayer.kubernetes({ ...options, ...more, client: "provided" }).pipe(Layer.provideMerge(mocked))
        )
      )
    )
  }

  it.effect("leave nothing when the layer closes, whatever state their calls are in [C165]", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const flame = FlameLayer.kubernetes({ ...options, advertise: "127.0.0.1", port: 0 })
      const napping = Effect.gen(function* () {
        yield* Effect.forkChild(Flame.call(nap, { millis: 3_600_000 }))
        const pool = yield* Pool
        while ((yield* pool.status).busySlots === 0) {
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        }
      })
      yield* Effect.scoped(Effect.provide(napping, flame))
      assert.lengthOf(yield* mock.pods, 0)
      assert.lengthOf(yield* mock.secrets, 0)
      assert.lengthOf(yield* mock.jobs, 0)
    }).pipe(Effect.provide(mocked))
  )

  it.effect(
    "on a node that falls silent take no new calls, and finish calls in flight also after drainTimeout [C161]",
    () =>
      Effect.gen(function* () {
        const mock = yield* KubeMock
        const pool = yield* Pool
        const call = yield* Effect.forkChild(Flame.call(nap, { millis: 60_000 }))
        while ((yield* pool.status).busySlots === 0) yield* realTurns(once())
        const [first] = yield* mock.pods
        yield* mock.play(first!.metadata.name!, [
          PodScript.step(0, (pod) => ({
            ...pod,
            status: {
              ...pod.status,
              conditions: [
                { type: "Ready", status: "False" },
                { type: "ContainersReady", status: "True" }
              ]
            }
          }))
        ])
        yield* TestClock.adjust(0)
        while ((yield* pool.status).draining === 0) yield* realTurns(once())
        // drainTimeout is 1 s.
        yield* TestClock.adjust("30 seconds")
        yield* realTurns(once(20))
        assert.isUndefined(call.pollUnsafe())
        assert.strictEqual(yield* Flame.call(greet, { name: "you" }), "hello you")
        assert.lengthOf(yield* mock.pods, 2)
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* Fiber.join(call), "rested")
      }).pipe(
        Effect.provide(
          FlameLayer.kubernetes({ ...options, max: 2, drainTimeout: 1_000, advertise: "127.0.0.1", port: 0 }).pipe(
            Layer.provideMerge(mocked)
          )
        )
      )
  )

  it.effect("of two pools share the port of one client [C163]", () => {
    class Other extends PoolService<Other>()("test/Other") {}
    const common = { image: "app:1", advertise: "127.0.0.1", port: 19_371 } as const
    const other = Flame.fn("other", { success: Schema.String, pool: Other }, () => Effect.succeed("other"))
    const mocks = KubeMock.layer({ functions: [other, nap] })
    const both = Layer.mergeAll(
      Other.layer({ max: 1, drainTimeout: 0, cancelGrace: 0 }).pipe(
        Layer.provide(KubernetesBackend.layer({ ...common, nodeSelector: { gpu: "a100" } }))
      ),
      FlameLayer.kubernetes({ ...options, ...common })
    ).pipe(Layer.provideMerge(mocks))
    return Effect.gen(function* () {
      assert.strictEqual(yield* Flame.call(other), "other")
      assert.strictEqual(yield* Flame.call(nap, { millis: 0 }), "rested")
      const selectors = (yield* (yield* KubeMock).pods).map(({ spec }) => spec["nodeSelector" as never])
      assert.deepStrictEqual(selectors, [{ gpu: "a100" }, undefined])
    }).pipe(Effect.provide(both))
  })

  it.effect("report an outage of the API server to their pool as two events, and serve through it [C167]", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const events: Array<PoolEvent> = []
      yield* Effect.forkScoped(
        Stream.runForEach((yield* Pool).events, (event) => Effect.sync(() => void events.push(event))),
        { startImmediately: true }
      )
      assert.strictEqual(yield* Flame.call(greet, { name: "you" }), "hello you")
      const tags = () => events.map(({ _tag }) => _tag).filter((tag) => tag.startsWith("Outage"))
      const untilTold = (count: number) =>
        Effect.gen(function* () {
          while (tags().length < count) {
            yield* TestClock.adjust("1 second")
            yield* realTurns(once(20))
          }
        })
      yield* mock.fail("watch pods", ...Array.from({ length: 14 }, () => ApiErrors.unreachable("watch pods")))
      yield* mock.cutWatches(ApiErrors.unreachable("watch pods"))
      yield* untilTold(1)
      assert.strictEqual(yield* Flame.call(greet, { name: "you" }), "hello you")
      yield* untilTold(2)
      // A list may be answered while the watch still pauses. The layer closes at once if the watch is open.
      for (let second = 0; second < 40; second++) {
        yield* TestClock.adjust("1 second")
        yield* realTurns(once(5))
      }
      assert.deepStrictEqual(tags(), ["OutageBegan", "OutageEnded"])
    }).pipe(
      Effect.scoped,
      Effect.provide(
        FlameLayer.kubernetes({ ...options, idleTimeToLive: "1 day", advertise: "127.0.0.1", port: 0 }).pipe(
          Layer.provideMerge(mocked)
        )
      )
    )
  )

  it('require a client in their type with `client: "provided"` [C164]', () => {
    const layer: Layer.Layer<Pool | Backend, unknown, KubeClient> = FlameLayer.kubernetes({ client: "provided" })
    // @ts-expect-error the client is a requirement
    const unprovided: Layer.Layer<Pool | Backend, unknown> = FlameLayer.kubernetes({ client: "provided" })
    // @ts-expect-error the client is a requirement
    const backend: Layer.Layer<Backend, KubeUnconfigured> = KubernetesBackend.layer({ client: "provided" })
    assert.isDefined([layer, unprovided, backend])
  })

  it.effect("of a layer that is merged with the mock never reach for a real cluster [C164]", () =>
    Effect.gen(function* () {
      const merged = Layer.merge(FlameLayer.kubernetes(options), KubeMock.layer())
      const error = yield* Effect.flip(Effect.scoped(Layer.build(merged)))
      assert.match(error.message, /KubeMock exists in this process/)
    })
  )
})

const once = (turns = 1) => {
  let left = turns
  return () => left-- <= 0
}
