import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import * as HubPool from "../../../src/kubernetes/hub/HubPool.ts"
import { KubeMock } from "../../../src/testing/KubeMock.ts"

/** A kubeconfig whose server nobody asks: hubs begin with the first runner. */
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

describe("HubPool", () => {
  it.live("gives layers that mean the same parent in the same cluster one hub, and others one each", () =>
    Effect.gen(function* () {
      const options = { kubeconfig: yield* kubeconfig, port: 1 }
      const hub = yield* HubPool.acquire(options)
      assert.strictEqual(yield* HubPool.acquire({ ...options, key: "env" }), hub)
      assert.notStrictEqual(yield* HubPool.acquire({ ...options, port: 2 }), hub)
      assert.notStrictEqual(yield* HubPool.acquire({ ...options, instance: "1" }), hub)
      assert.notStrictEqual(yield* HubPool.acquire({ ...options, namespace: "other" }), hub)
    }).pipe(Effect.scoped)
  )

  it.live("keeps a hub until the last layer that needs it has ended", () =>
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

  it.live("leaves nothing of a hub that has no way to a cluster: the next one may", () =>
    Effect.gen(function* () {
      const file = yield* kubeconfig
      const options = { kubeconfig: `${file}.later`, port: 4 }
      assert.strictEqual((yield* Effect.flip(HubPool.acquire(options)))._tag, "KubeUnconfigured")
      writeFileSync(options.kubeconfig, readFileSync(file))
      yield* HubPool.acquire(options)
    }).pipe(Effect.scoped)
  )

  it.live("never shares a client of somebody's own", () =>
    Effect.gen(function* () {
      assert.notStrictEqual(yield* HubPool.acquire({}), yield* HubPool.acquire({}))
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )
})
