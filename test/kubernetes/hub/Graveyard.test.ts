import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, FiberSet, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Graveyard } from "../../../src/kubernetes/hub/Graveyard.ts"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as PodWatch from "../../../src/kubernetes/watch/PodWatch.ts"
import { ApiErrors, KubeMock, PodScript } from "../../../src/testing/index.ts"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"

const runner = (name: string): Pod => ({
  metadata: { name, labels: { role: "runner" } },
  spec: { containers: [{ name: "runner" }] }
})

/** A graveyard, its cluster, and the number of pods that it reported gone. */
const digging = Effect.gen(function* () {
  const [client, mock] = [yield* KubeClient, yield* KubeMock]
  const watch = yield* PodWatch.make({ selector: "role=runner", relistEvery: "10 minutes" })
  const run = yield* FiberSet.makeRuntime<never>()
  const clock = yield* Clock.Clock
  const told = { gone: 0 }
  const graveyard = new Graveyard(
    client,
    watch,
    run,
    () => clock.currentTimeMillisUnsafe(),
    () => void told.gone++
  )
  watch.onRelist((pods) => graveyard.relisted(pods))
  yield* TestClock.adjust(0)
  const deletes = () => client.requests()["delete pods"] ?? 0
  return { client, mock, watch, graveyard, told, deletes }
})

const names = Effect.flatMap(KubeMock, ({ pods }) =>
  Effect.map(pods, (all) => all.map(({ metadata }) => metadata.name))
)

const inCluster = <A, E>(body: Effect.Effect<A, E, Scope.Scope | KubeClient | KubeMock>) =>
  Effect.scoped(body).pipe(Effect.provide(KubeMock.layer()))

describe("the graveyard of pods", () => {
  it.effect("deletes a pod by its uid and grace, and forgets it when it is seen gone", () =>
    inCluster(
      Effect.gen(function* () {
        const { client, deletes, graveyard, mock, told } = yield* digging
        yield* mock.ending({ after: 60_000, exitCode: 0 })
        const { metadata } = yield* client.createPod(runner("a"))
        yield* TestClock.adjust("1 second")
        assert.isTrue(yield* graveyard.removePod("a", metadata.uid, 2))
        assert.deepStrictEqual(graveyard.names, ["a"])
        const [dying] = yield* mock.pods
        assert.strictEqual(dying?.metadata.deletionGracePeriodSeconds, 2)
        const empty = yield* Effect.forkChild(graveyard.empty, { startImmediately: true })
        yield* TestClock.adjust("1 second")
        assert.isUndefined(empty.pollUnsafe())
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(empty)
        assert.isFalse(graveyard.has("a"))
        assert.deepStrictEqual([deletes(), told.gone], [1, 1])
      })
    )
  )

  it.effect("deletes a pod once, also when others delete it too", () =>
    inCluster(
      Effect.gen(function* () {
        const { client, deletes, graveyard } = yield* digging
        const { metadata } = yield* client.createPod(runner("a"))
        yield* TestClock.adjust("1 second")
        const both = [graveyard.removePod("a", metadata.uid), graveyard.removePod("a", undefined)]
        assert.deepStrictEqual(yield* Effect.all(both, { concurrency: 2 }), [true, true])
        assert.strictEqual(deletes(), 1)
      })
    )
  )

  it.effect("never deletes another pod that has got the name since", () =>
    inCluster(
      Effect.gen(function* () {
        const { client, graveyard, mock } = yield* digging
        const { metadata } = yield* client.createPod(runner("a"))
        yield* TestClock.adjust("1 second")
        yield* mock.remove("a")
        yield* client.createPod(runner("a"))
        assert.isTrue(yield* graveyard.removePod("a", metadata.uid))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* names, ["a"])
      })
    )
  )

  it.effect("deletes a pod that appears after it was given up, because its create was answered late or never", () =>
    inCluster(
      Effect.gen(function* () {
        const { client, graveyard } = yield* digging
        // There is no pod yet, so the API server's answer is no proof of an end.
        assert.isTrue(yield* graveyard.removePod("a", undefined))
        assert.deepStrictEqual([graveyard.names, graveyard.hasUnseen], [[], true])
        yield* TestClock.adjust("4 minutes")
        yield* client.createPod(runner("a"))
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(yield* names, [])
        assert.isFalse(graveyard.has("a"))
      })
    )
  )

  it.effect("sends no request for a pod that is not expected to appear, and deletes it with its grace if it does", () =>
    inCluster(
      Effect.gen(function* () {
        const { client, deletes, graveyard, mock, told } = yield* digging
        yield* mock.ending({ after: 60_000, exitCode: 0 })
        graveyard.removeIfSeen("a", 2)
        // At once, because there is no pod to wait for.
        yield* graveyard.empty
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual([graveyard.names, graveyard.hasUnseen, deletes()], [[], true, 0])
        // The pod is known once it is reported, and is not just forgotten.
        yield* mock.script([PodScript.scheduled(0)])
        yield* client.createPod(runner("a"))
        yield* TestClock.adjust(0)
        const [dying] = yield* mock.pods
        assert.strictEqual(dying?.metadata.deletionGracePeriodSeconds, 2)
        assert.deepStrictEqual(graveyard.names, ["a"])
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual([yield* names, graveyard.names, deletes(), told.gone], [[], [], 1, 1])
      })
    )
  )

  it.effect("forgets a pod that never appeared, 5 minutes after the last attempt", () =>
    inCluster(
      Effect.gen(function* () {
        const { graveyard, told, watch } = yield* digging
        yield* graveyard.removePod("a", undefined)
        yield* TestClock.adjust("4 minutes")
        yield* watch.relist
        assert.isTrue(graveyard.has("a"))
        yield* TestClock.adjust("61 seconds")
        yield* watch.relist
        assert.isFalse(graveyard.has("a"))
        // This frees no quota.
        assert.strictEqual(told.gone, 0)
      })
    )
  )

  it.effect("retries by itself when the API server refused the delete, without any event of the watch", () =>
    inCluster(
      Effect.gen(function* () {
        const { client, graveyard, mock } = yield* digging
        const { metadata } = yield* client.createPod(runner("a"))
        yield* TestClock.adjust("1 second")
        yield* mock.fail("watch pods", ...Array.from({ length: 60 }, () => ApiErrors.unreachable("watch pods")))
        yield* mock.cutWatches(ApiErrors.unreachable("watch pods"))
        yield* mock.fail("delete pods", ApiErrors.unreachable("delete pods"), ApiErrors.unavailable("delete pods"))
        assert.isFalse(yield* graveyard.removePod("a", metadata.uid))
        assert.deepStrictEqual(graveyard.names, ["a"])
        yield* TestClock.adjust("14 seconds")
        assert.deepStrictEqual(yield* names, ["a"])
        // Two more attempts, 15 s apart.
        yield* TestClock.adjust("17 seconds")
        assert.deepStrictEqual(yield* names, [])
      })
    )
  )

  it.effect("makes no second attempt for a pod that is terminating", () =>
    inCluster(
      Effect.gen(function* () {
        const { client, deletes, graveyard, mock, watch } = yield* digging
        yield* mock.ending({ after: 60_000, exitCode: 0 })
        yield* mock.script([...PodScript.boots])
        const { metadata } = yield* client.createPod(runner("a"))
        yield* TestClock.adjust("1 second")
        yield* graveyard.removePod("a", metadata.uid, 20)
        yield* TestClock.adjust("10 seconds")
        yield* watch.relist
        assert.strictEqual(deletes(), 1)
        yield* TestClock.adjust("11 seconds")
        assert.isFalse(graveyard.has("a"))
      })
    )
  )
})

it.effect("makes no more attempts after its end", () =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const { deletes, graveyard, mock } = yield* Scope.provide(digging, scope)
    yield* mock.fail("delete pods", ApiErrors.unreachable("delete pods"))
    assert.isFalse(yield* graveyard.removePod("a", undefined))
    yield* Scope.close(scope, Exit.void)
    const before = deletes()
    yield* TestClock.adjust("1 hour")
    assert.strictEqual(deletes(), before)
  }).pipe(Effect.provide(Layer.fresh(KubeMock.layer())))
)
