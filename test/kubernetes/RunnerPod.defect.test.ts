import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Flame, FlameLayer } from "effect-flame"
import { KubeClient, KubeMock } from "effect-flame/testing"

const next = Flame.fn("next", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n + 1))

/** A client whose first create of a pod dies. */
const broken = Layer.effect(
  KubeClient,
  Effect.map(KubeClient, (kube) => {
    let hasDied = false
    return KubeClient.of({
      ...kube,
      createPod: (pod, options) =>
        Effect.suspend(() => {
          if (options?.dryRun === true || hasDied) return kube.createPod(pod, options)
          hasDied = true
          return Effect.die(new Error("an answer that nobody foresaw"))
        })
    })
  })
)

const flame = FlameLayer.kubernetes({ image: "app:1", max: 1 }).pipe(
  Layer.provide(broken),
  Layer.provideMerge(KubeMock.layer({ functions: [next] }))
)

it.effect("a defect in the creation of a pod fails that boot, and the next one serves", () =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Flame.call(next, { n: 1 }))
    for (let round = 0; round < 200 && fiber.pollUnsafe() === undefined; round++) {
      yield* TestClock.adjust("1 second")
      yield* Effect.promise(() => new Promise((later) => setTimeout(later, 10)))
    }
    assert.isDefined(fiber.pollUnsafe(), "the call still waits")
    assert.strictEqual(yield* Fiber.join(fiber), 2)
  }).pipe(Effect.provide(flame))
)
