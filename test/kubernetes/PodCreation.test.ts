import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { RunnerProcess } from "../../src/backend/Backend.ts"
import { KubeClient } from "../../src/kubernetes/api/KubeClient.ts"
import { refused } from "../../src/kubernetes/api/KubeAnswer.ts"
import * as ApiErrors from "../../src/testing/ApiErrors.ts"
import { KubeMock } from "../../src/testing/KubeMock.ts"
import * as PodParent from "./kit/PodParent.ts"

/** A parent whose dry run is over, so that scripted failures hit the creates of runners. */
const ready = Effect.gen(function* () {
  const backend = yield* PodParent.make()
  while ((yield* creates) === 0) {
    yield* TestClock.adjust(0)
    // The parent's port is a real port.
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  }
  return backend
})

/** The step that a boot reports as waiting. */
const waits = Effect.fnUntraced(function* (process: RunnerProcess) {
  const told: Array<string> = []
  yield* Effect.forkChild(
    Stream.runForEach(process.phases, ({ detail = "", name }) =>
      Effect.sync(() => void (name === "waiting" && told.push(detail)))
    )
  )
  return told
})

const creates = Effect.map(KubeClient, (client) => client.requests()["create pods"] ?? 0)

const many = <A>(count: number, value: A): ReadonlyArray<A> => Array.from({ length: count }, () => value)

const unauthorized = refused(
  { verb: "create", resource: "pods" },
  { status: 401, retryAfter: undefined, body: "Unauthorized" },
  0
)

describe("the creation of a runner's pod", () => {
  it.effect("waits behind the one pod that is tried while a quota is full, and sends no request until then", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const backend = yield* ready
      yield* mock.fail("create pods", ...many(100, ApiErrors.quotaExceeded()))
      yield* PodParent.launch(backend)
      yield* TestClock.adjust(0)
      const before = yield* creates
      const second = yield* PodParent.launch(backend)
      const told = yield* waits(second.process)
      yield* TestClock.adjust(0)
      assert.strictEqual(yield* creates, before)
      assert.lengthOf(told, 1)
      assert.include(told[0], "quota")
      // Given up again, so there is nothing to delete.
      yield* Scope.close(second.scope, Exit.void)
      assert.isUndefined((yield* KubeClient).requests()["delete pods"])
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("does not wait for a quota that was full long ago", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const backend = yield* ready
      yield* mock.fail("create pods", ...many(5, ApiErrors.quotaExceeded()))
      const first = yield* PodParent.launch(backend)
      yield* TestClock.adjust("20 seconds")
      yield* Scope.close(first.scope, Exit.void)
      yield* TestClock.adjust("1 minute")
      yield* PodParent.launch(backend)
      yield* TestClock.adjust(0)
      assert.lengthOf(yield* mock.pods, 1)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )

  it.effect("retries a rejected token for its full minute, although the create waited for another cause before", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const backend = yield* ready
      // The client retries for half a minute before it reports the failure.
      yield* mock.fail("create pods", ...many(90, ApiErrors.unreachable("create pods")), unauthorized)
      const { process } = yield* PodParent.launch(backend)
      const connecting = yield* Effect.forkChild(process.connection)
      for (let second = 0; second < 130; second++) yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* mock.pods, 1)
      assert.isUndefined(connecting.pollUnsafe())
      yield* Fiber.interrupt(connecting)
    }).pipe(Effect.scoped, Effect.provide(PodParent.cluster()))
  )
})
