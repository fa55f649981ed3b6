import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { ApiErrors, KubeClient, KubeMock } from "../../../src/testing/index.ts"
import type { BootFailure } from "../../../src/error/BootFailure.ts"
import * as DrainBudget from "../../../src/kubernetes/hub/DrainBudget.ts"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import type { Hub } from "../../../src/kubernetes/hub/KubeHub.ts"
import type { Once } from "../../../src/kubernetes/hub/Once.ts"
import { ShutdownDeadline } from "../../../src/kubernetes/hub/ShutdownDeadline.ts"

const parent = (grace?: number, deletedFor?: number): Pod => ({
  metadata: {
    name: "parent",
    ...(deletedFor === undefined
      ? {}
      : { deletionTimestamp: new Date(deletedFor).toISOString(), deletionGracePeriodSeconds: grace ?? 30 })
  },
  spec: { containers: [{ name: "app" }], ...(grace === undefined ? {} : { terminationGracePeriodSeconds: grace }) }
})

const times = (cancelGrace = 5_000) => ({ drainTimeout: 30_000, cancelGrace })

/** What `left` looks at of a hub. */
const hubOf = (client: Hub["client"], pod: Pod | undefined) =>
  ({
    done: {
      client,
      deadline: new ShutdownDeadline(() => 0),
      parent: pod === undefined ? undefined : { pod, container: pod.spec.containers[0] }
    }
  }) as Once<Hub, BootFailure>

describe("DrainBudget", () => {
  it("is what the pod's grace leaves after 8 s for the end, and never more than drainTimeout", () => {
    assert.strictEqual(DrainBudget.within(30_000, parent(45), 0, undefined), 30_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(30), 0, undefined), 22_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(), 0, undefined), 22_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(5), 0, undefined), 0)
  })

  it("counts from the deletion, by the time of the API server alone, where that is known [C160]", () => {
    assert.strictEqual(DrainBudget.within(30_000, parent(60, 60_000), 0, 20_000), 30_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(60, 60_000), 0, 40_000), 12_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(60, 60_000), 0, 60_000), 0)
    // Nobody knows the server's time: the grace counts from the signal.
    assert.strictEqual(DrainBudget.within(30_000, parent(30, 60_000), 0, undefined), 22_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(30, 60_000), 1_000, undefined), 21_000)
    // The time is of another clock than the deletion.
    assert.strictEqual(DrainBudget.within(30_000, parent(30, 60_000), 0, 1_000_000), 22_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(30, 60_000), 0, 0), 22_000)
  })

  it("is short of drainTimeout in a pod whose grace is, which is told with the grace that it needs", () => {
    assert.isUndefined(DrainBudget.shortage(undefined, times()))
    assert.isUndefined(DrainBudget.shortage(parent(38), times()))
    const text = DrainBudget.shortage(parent(), times()) ?? ""
    assert.match(text, /calls get 22 s .* not the 30 s of drainTimeout: set its terminationGracePeriodSeconds to 38/)
  })

  it("is short of cancelGrace where a call that does not stop would be killed too late", () => {
    const text = DrainBudget.shortage(parent(42), times(10_000)) ?? ""
    assert.match(text, /take the 10 s of cancelGrace, .* no more than 5 s: set its terminationGracePeriodSeconds to 43/)
    assert.isUndefined(DrainBudget.shortage(parent(43), times(10_000)))
    assert.match(DrainBudget.shortage(parent(37), times(10_000)) ?? "", /terminationGracePeriodSeconds to 43/)
  })

  it.effect("asks the API server when its pod is to be gone, and goes by what it knew where there is no answer", () =>
    Effect.gen(function* () {
      const [client, mock] = [yield* KubeClient, yield* KubeMock]
      const hub = hubOf(client, parent(60))
      yield* mock.put(parent(60, 60_000))
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(yield* DrainBudget.left(hub, 30_000), 2_000)
      yield* mock.fail("get pods", ApiErrors.unreachable("get pods"))
      assert.strictEqual(yield* DrainBudget.left(hub, 30_000), 30_000)
      // what it waited for the answer is no longer left
      const silent = hubOf({ ...client, getPod: () => Effect.never }, parent(30))
      const asking = yield* Effect.forkChild(DrainBudget.left(silent, 30_000), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(asking), 21_000)
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("is all of drainTimeout outside of the cluster, and before anything is known", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      assert.strictEqual(yield* DrainBudget.left(hubOf(client, undefined), 30_000), 30_000)
      assert.strictEqual(yield* DrainBudget.left({ done: undefined } as Once<Hub, BootFailure>, 30_000), 30_000)
      assert.deepStrictEqual(client.requests(), {})
    }).pipe(Effect.provide(KubeMock.layer()))
  )
})
