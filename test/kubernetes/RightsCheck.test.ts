import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { refused } from "../../src/kubernetes/api/KubeAnswer.ts"
import { KubeMock } from "../../src/testing/KubeMock.ts"
import * as PodParent from "./kit/PodParent.ts"

const asked = { verb: "create", resource: "pods" }

const answer = (status: number, message: string) =>
  refused(asked, { status, retryAfter: undefined, body: JSON.stringify({ message }) }, 0)

describe("the check of rights before the first runner", () => {
  it.effect("passes when a webhook does not answer dry runs", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.fail("create pods", answer(400, 'admission webhook "pods.example" does not support dry run'))
      const backend = yield* PodParent.make()
      yield* PodParent.launch(backend)
      yield* TestClock.adjust(0)
      assert.lengthOf(yield* mock.pods, 1)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("fails the first boot when the API server refuses a runner's pod", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.fail(
        "create pods",
        answer(422, 'Pod "preflight" is invalid: spec.containers[0].image: Required value')
      )
      const backend = yield* PodParent.make()
      assert.strictEqual((yield* Effect.flip(PodParent.launch(backend)))._tag, "InvalidSpec")
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("fails a boot with a cause that can heal while the API server does not answer", () =>
    Effect.gen(function* () {
      const backend = yield* PodParent.make()
      const failing = yield* Effect.forkChild(Effect.flip(PodParent.launch(backend, { bootTimeout: 20_000 })))
      yield* TestClock.adjust("19 seconds")
      const failed = failing.pollUnsafe()
      assert.strictEqual(failed?._tag === "Success" ? failed.value._tag : "", "ApiUnavailable")
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster(() => ({ listPods: () => Effect.never }))))
  )
})
