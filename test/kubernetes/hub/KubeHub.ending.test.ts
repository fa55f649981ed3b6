import { assert, describe, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as HubPool from "../../../src/kubernetes/hub/HubPool.ts"
import { KubeMock } from "../../../src/testing/KubeMock.ts"
import * as ApiErrors from "../../../src/testing/ApiErrors.ts"
import { Graveyard } from "../../../src/kubernetes/hub/Graveyard.ts"
import type { PodListener } from "../../../src/kubernetes/watch/PodFollowers.ts"
import * as PodParent from "../kit/PodParent.ts"

describe("the end of a parent of pods", () => {
  it.effect("waits for an API server in an outage only as long as its time allows", () =>
    Effect.gen(function* () {
      const parent = yield* Scope.make()
      const backend = yield* Scope.provide(PodParent.make({ key: "secret" }), parent)
      const { scope } = yield* PodParent.launch(backend)
      yield* TestClock.adjust("1 second")
      assert.lengthOf(yield* (yield* KubeMock).pods, 1)
      const closing = yield* Effect.forkChild(
        Effect.andThen(Scope.close(scope, Exit.void), Scope.close(parent, Exit.void))
      )
      // Less than the 8 s that are reserved of the pod's own grace.
      yield* TestClock.adjust("7 seconds")
      assert.isDefined(closing.pollUnsafe())
    }).pipe(
      Effect.provide(PodParent.cluster(() => ({ deletePod: () => Effect.never, deleteSecret: () => Effect.never })))
    )
  )

  for (const [what, endsAfter] of [
    ["whose calls were cut", 0],
    ["whose call did not stop, and was killed", 6_000]
  ] as const) {
    it.effect(
      `is complete 8 s after the pool cut its calls, although no kubelet reports the end of a runner ${what}`,
      () =>
        Effect.gen(function* () {
          const parent = yield* Scope.make()
          const backend = yield* Scope.provide(PodParent.make(), parent)
          const { process, scope } = yield* PodParent.launch(backend)
          yield* TestClock.adjust("1 second")
          const [pod] = yield* (yield* KubeMock).pods
          const connecting = yield* Effect.forkChild(process.connection)
          const there = yield* PodParent.dialBack(pod!)
          const here = yield* Fiber.join(connecting)
          const over = yield* Effect.forkChild(
            Effect.callback<void>((resume) =>
              here.start({ data: () => {}, drained: () => {}, closed: () => resume(Effect.void) })
            ),
            { startImmediately: true }
          )
          assert.strictEqual(yield* backend.drainBudget!(30_000), 30_000)
          // The pool cuts its calls, and the session ends then or later.
          yield* TestClock.adjust(30_000 + endsAfter)
          there.destroy()
          yield* Fiber.join(over)
          // The time that the pool waits for the reason.
          yield* TestClock.adjust("500 millis")
          const ending = yield* Effect.forkChild(
            Effect.andThen(Scope.close(scope, Exit.void), Scope.close(parent, Exit.void))
          )
          yield* TestClock.adjust(6_999 - endsAfter)
          // The end uses its remaining time, which is short here.
          assert.isUndefined(ending.pollUnsafe())
          yield* TestClock.adjust(1)
          assert.isDefined(ending.pollUnsafe())
          yield* Fiber.join(ending)
        }).pipe(
          Effect.provide(
            PodParent.cluster(() => ({ deletePod: () => Effect.void, deleteJob: () => Effect.succeed(false) }))
          )
        )
    )
  }

  it.effect("ignores a drain that was over long ago", () =>
    Effect.gen(function* () {
      const parent = yield* Scope.make()
      const backend = yield* Scope.provide(PodParent.make(), parent)
      const { scope } = yield* PodParent.launch(backend)
      yield* backend.drainBudget!(30_000)
      yield* TestClock.adjust("1 hour")
      yield* (yield* KubeMock).ending({ after: 3_000, exitCode: 0 })
      const ending = yield* Effect.forkChild(
        Effect.andThen(Scope.close(scope, Exit.void), Scope.close(parent, Exit.void))
      )
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.join(ending)
      assert.lengthOf(yield* (yield* KubeMock).pods, 0)
    }).pipe(Effect.provide(PodParent.cluster()))
  )

  it.effect("leaves no pod whose create succeeded after it was given up", () => {
    const lateCreate = (client: PodParent.Client): Partial<PodParent.Client> => ({
      createPod: (pod, options) =>
        options?.dryRun === true
          ? client.createPod(pod, options)
          : Effect.onInterrupt(Effect.never, () =>
              Effect.forkDetach(Effect.delay(client.createPod(pod, options), "10 millis"))
            ),
      listPods: (selector, options) =>
        options?.exact === true ? Effect.delay(client.listPods(selector), "20 millis") : client.listPods(selector)
    })
    return Effect.gen(function* () {
      const parent = yield* Scope.make()
      const backend = yield* Scope.provide(PodParent.make(), parent)
      const { scope } = yield* PodParent.launch(backend)
      yield* TestClock.adjust("1 second")
      const closing = yield* Effect.forkChild(
        Effect.andThen(Scope.close(scope, Exit.void), Scope.close(parent, Exit.void))
      )
      yield* TestClock.adjust("4 seconds")
      yield* Fiber.join(closing)
      assert.strictEqual((yield* KubeClient).requests()["create pods"], 2)
      assert.lengthOf(yield* (yield* KubeMock).pods, 0)
    }).pipe(Effect.provide(PodParent.cluster(lateCreate)))
  })
})

describe("layers of one process", () => {
  it.effect("share one port, whatever programs their runners run, and wherever those find their keys", () =>
    Effect.gen(function* () {
      const kubeconfig = Path.join(Fs.mkdtempSync(Path.join(Os.tmpdir(), "flame-")), "config")
      yield* Effect.addFinalizer(() => Effect.sync(() => Fs.rmSync(Path.dirname(kubeconfig), { recursive: true })))
      const cluster = { name: "c", cluster: { server: "https://127.0.0.1:1" } }
      const context = { name: "c", context: { cluster: "c", user: "c" } }
      const users = [{ name: "c", user: { token: "t" } }]
      Fs.writeFileSync(
        kubeconfig,
        JSON.stringify({ clusters: [cluster], contexts: [context], users, "current-context": "c" })
      )
      const first = yield* HubPool.acquire({ kubeconfig, program: "a", key: "env" })
      assert.strictEqual(yield* HubPool.acquire({ kubeconfig, program: "b" }), first)
      assert.notStrictEqual(yield* HubPool.acquire({ kubeconfig, port: 9346 }), first)
    }).pipe(Effect.scoped)
  )
})

describe("a pod that is given up", () => {
  const graveyard = (client: PodParent.Client) => {
    const listeners = new Set<PodListener>()
    const watch = {
      follow: (_: string, listener: PodListener) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      }
    }
    const see = (resourceVersion: string) => {
      const pod = { metadata: { name: "a", uid: "1", resourceVersion }, spec: { containers: [] } }
      for (const listener of listeners) listener({ pod, gone: false })
    }
    return Effect.map(Effect.context<never>(), (context) => ({
      see,
      graves: new Graveyard(
        client,
        watch,
        Effect.runForkWith(context),
        () => 0,
        () => {}
      )
    }))
  }

  it.effect("is deleted again every 15 s while the delete is refused, however often the pod is seen", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      yield* (yield* KubeMock).fail(
        "delete pods",
        ...Array.from({ length: 99 }, () => ApiErrors.forbidden("delete pods"))
      )
      const { graves, see } = yield* graveyard(client)
      assert.isFalse(yield* graves.removePod("a", "1"))
      for (let version = 2; version < 7; version++) {
        see(`${version}`)
        yield* TestClock.adjust(0)
      }
      const before = client.requests()["delete pods"] ?? 0
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((client.requests()["delete pods"] ?? 0) - before, 4)
    }).pipe(Effect.provide(PodParent.cluster()))
  )

  it.effect("is deleted when it appears, if it did not exist at the first attempt", () => {
    const asked: Array<string | undefined> = []
    const deletePod: PodParent.Client["deletePod"] = (_, { uid } = {}) =>
      Effect.delay(
        Effect.sync(() => void asked.push(uid)),
        "1 second"
      )
    return Effect.gen(function* () {
      const { graves, see } = yield* graveyard(yield* KubeClient)
      const burying = yield* Effect.forkChild(graves.removePod("a", undefined), { startImmediately: true })
      see("1")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(burying)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(asked, [undefined, "1"])
    }).pipe(Effect.provide(PodParent.cluster(() => ({ deletePod }))))
  })
})
