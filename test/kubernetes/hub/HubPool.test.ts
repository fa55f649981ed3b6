import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Scope } from "effect"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as HubPool from "../../../src/kubernetes/hub/HubPool.ts"
import { KubeMock } from "../../../src/testing/KubeMock.ts"

/** A kubeconfig whose server is never called, because a hub connects with its first runner. */
const kubeconfig = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-hubs-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  ),
  (folder) => {
    const file = join(folder, "config")
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "default" } }],
      "current-context": "x"
    }
    writeFileSync(file, JSON.stringify(config))
    return file
  }
)

describe("the pool of hubs", () => {
  it.live("gives layers of the same parent in the same cluster one hub, and other layers another", () =>
    Effect.gen(function* () {
      const options = { kubeconfig: yield* kubeconfig, port: 1 }
      const hub = yield* HubPool.acquire(options)
      assert.strictEqual(yield* HubPool.acquire({ ...options, key: "env" }), hub)
      assert.notStrictEqual(yield* HubPool.acquire({ ...options, port: 2 }), hub)
      assert.notStrictEqual(yield* HubPool.acquire({ ...options, instance: "1" }), hub)
      assert.notStrictEqual(yield* HubPool.acquire({ ...options, namespace: "other" }), hub)
    }).pipe(Effect.scoped)
  )

  it.live("keeps a hub until the last layer that uses it has ended", () =>
    Effect.gen(function* () {
      const options = { kubeconfig: yield* kubeconfig, port: 3 }
      const [first, second] = [yield* Scope.make(), yield* Scope.make()]
      const hub = yield* Scope.provide(HubPool.acquire(options), first)
      yield* Scope.provide(HubPool.acquire(options), second)
      yield* Scope.close(first, Exit.void)
      assert.strictEqual(yield* HubPool.acquire(options).pipe(Effect.scoped), hub)
      yield* Scope.close(second, Exit.void)
      assert.notStrictEqual(yield* HubPool.acquire(options), hub)
    }).pipe(Effect.scoped)
  )

  it.live("keeps nothing of a hub that found no cluster, so the next layer tries again", () =>
    Effect.gen(function* () {
      const file = yield* kubeconfig
      const options = { kubeconfig: `${file}.later`, port: 4 }
      assert.strictEqual((yield* Effect.flip(HubPool.acquire(options)))._tag, "KubeUnconfigured")
      writeFileSync(options.kubeconfig, readFileSync(file))
      yield* HubPool.acquire(options)
    }).pipe(Effect.scoped)
  )

  it.live("gives layers of one provided client one hub, and layers of two clients one each [C163]", () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      const hub = yield* HubPool.acquire({})
      assert.strictEqual(yield* HubPool.acquire({}), hub)
      assert.notStrictEqual(yield* HubPool.acquire({ port: 5 }), hub)
      const other = Effect.provideService(HubPool.acquire({}), KubeClient, { ...client })
      assert.notStrictEqual(yield* other, hub)
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.live("makes no client while a mock exists, or if the client is to be provided [C164]", () =>
    Effect.gen(function* () {
      const options = { kubeconfig: yield* kubeconfig, port: 6 }
      const mocked = yield* Scope.make()
      yield* Scope.provide(Layer.build(KubeMock.layer()), mocked)
      const refused = yield* Effect.flip(HubPool.acquire(options))
      assert.match(refused.message, /KubeMock exists in this process.*Layer\.provide/)
      yield* Scope.close(mocked, Exit.void)
      yield* HubPool.acquire(options)
      const unprovided = yield* Effect.flip(HubPool.acquire({ ...options, client: "provided" }))
      assert.match(unprovided.message, /takes the KubeClient of the context/)
    }).pipe(Effect.scoped)
  )
})
