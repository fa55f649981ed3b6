import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as Lifeline from "../../../src/kubernetes/hub/Lifeline.ts"
import { ApiErrors, KubeMock } from "../../../src/testing/index.ts"
import * as PodParent from "../kit/PodParent.ts"

const owner = { apiVersion: "v1", kind: "Pod", name: "parent", uid: "p" }

const lifeline = Effect.gen(function* () {
  const client = yield* KubeClient
  const options = { client, prefix: "flame-x", life: "life", labels: {}, annotations: {}, owner, image: "app:1" }
  const clock = yield* TestClock.testClockWith((clock) => Effect.succeed(clock))
  return yield* Lifeline.make({ ...options, uptime: () => clock.currentTimeMillisUnsafe() })
})

/** A parent with one runner and its Secret, which dies without cleaning up. */
const killed = Effect.gen(function* () {
  const mock = yield* KubeMock
  const parent = yield* Scope.make()
  const backend = yield* Scope.provide(PodParent.make({ key: "secret" }), parent)
  yield* Scope.provide(PodParent.launch(backend), parent)
  yield* TestClock.adjust("1 second")
  assert.lengthOf(yield* mock.pods, 1)
  assert.lengthOf(yield* mock.secrets, 1)
  return { backend, mock, parent }
})

describe("the lifeline of a parent", () => {
  it.effect("owns the pods and Secrets of a life, and is owned by the parent's pod [C166]", () =>
    Effect.gen(function* () {
      const made = yield* lifeline
      const [job] = yield* (yield* KubeMock).jobs
      assert.deepStrictEqual(job?.metadata.ownerReferences, [owner])
      const { name = "", uid = "" } = job?.metadata ?? {}
      assert.deepInclude(made.owner(), { kind: "Job", name, uid, controller: true })
      assert.deepInclude(job?.spec, { completions: 0, parallelism: 0, ttlSecondsAfterFinished: 3_000 })
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("is extended for as long as the parent lives, and outlives the parent by 50 min at most [C166]", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const scope = yield* Scope.make()
      yield* Scope.provide(lifeline, scope)
      yield* TestClock.adjust("24 hours")
      assert.lengthOf(yield* mock.jobs, 1)
      // As after a kill, nothing extends it any more.
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("45 minutes")
      assert.lengthOf(yield* mock.jobs, 1)
      yield* TestClock.adjust("5 minutes")
      assert.lengthOf(yield* mock.jobs, 0)
    }).pipe(Effect.provide(KubeMock.layer()))
  )

  it.effect("is extended by the API server's clock, also while the clock of the machine stands still [C166]", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const client = yield* KubeClient
      const options = { client, prefix: "flame-x", life: "life", labels: {}, annotations: {}, owner, image: "app:1" }
      yield* Lifeline.make({ ...options, uptime: () => 0 })
      yield* TestClock.adjust("24 hours")
      assert.lengthOf(yield* mock.jobs, 1)
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("removes the runners and Secrets of a killed parent within the hour [C166]", () =>
    Effect.gen(function* () {
      const { mock } = yield* killed
      yield* mock.fail("patch jobs", ...Array.from({ length: 20 }, () => ApiErrors.unreachable("patch jobs")))
      yield* TestClock.adjust("1 hour")
      assert.lengthOf(yield* mock.pods, 0)
      assert.lengthOf(yield* mock.secrets, 0)
    }).pipe(Effect.provide(PodParent.cluster()))
  )

  it.effect("is made again when it is deleted, so that boots go on [C166]", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const { backend, mock, parent } = yield* killed
      const [job] = yield* mock.jobs
      const { connection } = (yield* Scope.provide(PodParent.launch(backend), parent)).process
      const failing = yield* Effect.forkChild(Effect.flip(connection), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      yield* client.deleteJob!(job?.metadata.name ?? "")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(failing))._tag, "Removed")
      const [next] = yield* mock.jobs
      assert.notStrictEqual(next?.metadata.uid, job?.metadata.uid)
      yield* Scope.provide(PodParent.launch(backend), parent)
      yield* TestClock.adjust("1 second")
      const owners = (yield* mock.pods).map(({ metadata }) => metadata.ownerReferences?.[0]?.uid)
      assert.deepStrictEqual(owners, [next?.metadata.uid])
      const closing = yield* Effect.forkChild(Scope.close(parent, Exit.void))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
      assert.lengthOf(yield* mock.jobs, 0)
    }).pipe(Effect.provide(PodParent.cluster()))
  )

  it.effect("sends no request that is refused if the parent has no right to Jobs [C166]", () =>
    Effect.gen(function* () {
      const [client, mock] = [yield* KubeClient, yield* KubeMock]
      yield* mock.rules({ incomplete: false, rules: [{ verbs: ["*"], apiGroups: [""], resources: ["*"] }] })
      assert.deepStrictEqual((yield* lifeline).owner(), owner)
      assert.isUndefined(client.requests()["create jobs"])
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  for (const [why, errors] of [
    ["that is refused to create Jobs", [ApiErrors.forbidden("create jobs")]],
    ["whose client knows no Jobs", undefined]
  ] as const) {
    it.effect(`is not made, and the parent's pod owns everything, for a parent ${why} [C166]`, () =>
      Effect.gen(function* () {
        if (errors !== undefined) yield* (yield* KubeMock).fail("create jobs", ...errors)
        assert.deepStrictEqual((yield* lifeline).owner(), owner)
        assert.lengthOf(yield* (yield* KubeMock).jobs, 0)
      }).pipe(
        Effect.scoped,
        Effect.provide(PodParent.cluster(() => (errors === undefined ? ({ createJob: undefined } as never) : {})))
      )
    )
  }
})
