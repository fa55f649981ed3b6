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

/** The fields of a hub that `left` reads. */
const hubOf = (client: Hub["client"], pod: Pod | undefined) =>
  ({
    done: {
      client,
      deadline: new ShutdownDeadline(() => 0),
      parent: pod === undefined ? undefined : { pod, container: pod.spec.containers[0] }
    }
  }) as Once<Hub, BootFailure>

describe("the drain budget of a parent", () => {
  it("is the pod's grace less the 8 s for the end of runners, and at most drainTimeout", () => {
    assert.strictEqual(DrainBudget.within(30_000, parent(45), 0, undefined), 30_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(30), 0, undefined), 22_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(), 0, undefined), 22_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(5), 0, undefined), 0)
  })

  it("counts from the deletion, by the API server's clock only, if that time is known [C160]", () => {
    assert.strictEqual(DrainBudget.within(30_000, parent(60, 60_000), 0, 20_000), 30_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(60, 60_000), 0, 40_000), 12_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(60, 60_000), 0, 60_000), 0)
    // The server's time is unknown, so the grace counts from the signal.
    assert.strictEqual(DrainBudget.within(30_000, parent(30, 60_000), 0, undefined), 22_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(30, 60_000), 1_000, undefined), 21_000)
    // This time is by another clock than the deletion.
    assert.strictEqual(DrainBudget.within(30_000, parent(30, 60_000), 0, 1_000_000), 22_000)
    assert.strictEqual(DrainBudget.within(30_000, parent(30, 60_000), 0, 0), 22_000)
  })

  it("is less than drainTimeout in a pod with a short grace, and the warning names the grace that is needed", () => {
    assert.isUndefined(DrainBudget.shortage(undefined, times()))
    assert.isUndefined(DrainBudget.shortage(parent(38), times()))
    const text = DrainBudget.shortage(parent(), times()) ?? ""
    assert.match(text, /calls get 22 s .* not the 30 s of drainTimeout: set its terminationGracePeriodSeconds to 38/)
  })

  it("is less than cancelGrace if a call that does not stop would be killed too late", () => {
    const text = DrainBudget.shortage(parent(42), times(10_000)) ?? ""
    assert.match(text, /take the 10 s of cancelGrace, .* no more than 5 s: set its terminationGracePeriodSeconds to 43/)
    assert.isUndefined(DrainBudget.shortage(parent(43), times(10_000)))
    assert.match(DrainBudget.shortage(parent(37), times(10_000)) ?? "", /terminationGracePeriodSeconds to 43/)
  })

  it.effect("reads its pod's deadline from the API server, and uses the last known one if there is no answer", () =>
    Effect.gen(function* () {
      const [client, mock] = [yield* KubeClient, yield* KubeMock]
      const hub = hubOf(client, parent(60))
      yield* mock.put(parent(60, 60_000))
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual(yield* DrainBudget.left(hub, 30_000), 2_000)
      yield* mock.fail("get pods", ApiErrors.unreachable("get pods"))
      assert.strictEqual(yield* DrainBudget.left(hub, 30_000), 30_000)
      // The time that it waited for the answer is used up.
      const silent = hubOf({ ...client, getPod: () => Effect.never }, parent(30))
      const asking = yield* Effect.forkChild(DrainBudget.left(silent, 30_000), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(asking), 21_000)
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("is all of drainTimeout outside of the cluster, and before a deadline is known", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      assert.strictEqual(yield* DrainBudget.left(hubOf(client, undefined), 30_000), 30_000)
      assert.strictEqual(yield* DrainBudget.left({ done: undefined } as Once<Hub, BootFailure>, 30_000), 30_000)
      assert.deepStrictEqual(client.requests(), {})
    }).pipe(Effect.provide(KubeMock.layer()))
  )
})
