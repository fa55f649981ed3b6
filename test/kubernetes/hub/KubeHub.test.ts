import { assert, describe, it } from "@effect/vitest"
import * as Net from "node:net"
import { Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as KubeHub from "../../../src/kubernetes/hub/KubeHub.ts"
import { ApiErrors, KubeMock } from "../../../src/testing/index.ts"

const freePort = Effect.callback<number>((resume) => {
  const server = Net.createServer().listen(0, () => {
    const { port } = server.address() as Net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** Runs an effect with these environment variables. */
const withEnv = (variables: Readonly<Record<string, string>>) => {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  const restore = () => {
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
  return <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => Object.assign(process.env, variables)),
      () => effect,
      () => Effect.sync(restore)
    )
}

/** A hub of a parent outside of the cluster that runners can dial. */
const making = (options: KubeHub.HubOptions = {}) =>
  Effect.gen(function* () {
    const port = yield* freePort
    const hub = KubeHub.make(yield* KubeClient, { advertise: "127.0.0.1", port, ...options }, yield* Effect.scope)
    return { hub, port }
  })

describe("a hub", () => {
  it.effect("without the right to list pods fails with all missing rights, and the Role to apply", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.rules({ incomplete: false, rules: [] })
      yield* mock.fail("list pods", ApiErrors.forbidden("list pods"))
      const { hub } = yield* making()
      const error = yield* Effect.flip(hub.get)
      assert.deepInclude(error, { _tag: "Forbidden", verb: "create", resource: "pods" })
      assert.match(error.message, /create, get, list, watch, delete pods; create, delete secrets.*kind: Role/s)
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("reports the refusal itself if its rights cannot be read", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.rules({ incomplete: true, rules: [] })
      yield* mock.fail("list pods", ApiErrors.forbidden("list pods"))
      const { hub } = yield* making()
      assert.deepInclude(yield* Effect.flip(hub.get), { _tag: "Forbidden", verb: "list", resource: "pods" })
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("whose start failed starts again at the same port and with the same name", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      yield* mock.fail("list pods", ApiErrors.forbidden("list pods"), ApiErrors.forbidden("list pods"))
      const { hub, port } = yield* making({ instance: "again" })
      for (let attempt = 0; attempt < 2; attempt++) assert.strictEqual((yield* Effect.flip(hub.get))._tag, "Forbidden")
      const { identity, dialBack } = yield* hub.get
      assert.strictEqual(dialBack?.address, `127.0.0.1:${port}`)
      // The same as for a hub that never failed: no name of the first attempt is left.
      yield* Effect.scoped(
        Effect.gen(function* () {
          const other = yield* making({ instance: "again" })
          assert.notStrictEqual((yield* other.hub.get).identity.label, identity.label)
        })
      )
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  it.effect("deletes its Secrets at its end, and frees its port and its name", () =>
    Effect.gen(function* () {
      const mock = yield* KubeMock
      const client = yield* KubeClient
      const scope = yield* Scope.make()
      const { hub, port } = yield* Scope.provide(making(), scope)
      const { identity } = yield* hub.get
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* mock.secrets).length, 1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* mock.secrets).length, 0)
      const next = yield* KubeHub.make(client, { advertise: "127.0.0.1", port }, yield* Effect.scope).get
      assert.strictEqual(next.identity.label, identity.label)
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )

  describe("in a pod", () => {
    const self = { namespace: "prod", name: "web-0", uid: "uid-of-prod" }
    const pod: Pod = {
      metadata: { name: "web-0", uid: "uid-of-prod" },
      spec: { containers: [{ name: "app", image: "app:1" }] },
      status: { podIP: "10.9.9.9", phase: "Running" }
    }
    const hubOf = (client: Partial<KubeClient["Service"]>) =>
      Effect.gen(function* () {
        yield* (yield* KubeMock).put(pod)
        const mock = yield* KubeClient
        const options = { advertise: "127.0.0.1", port: yield* freePort, key: "env" } as const
        return yield* KubeHub.make({ ...mock, namespace: "prod", ...client }, options, yield* Effect.scope).get
      })

    it.effect("takes the pod that its token names as the parent", () =>
      Effect.gen(function* () {
        const { parent } = yield* hubOf({ self })
        assert.strictEqual(parent?.pod.metadata.uid, "uid-of-prod")
      }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
    )

    it.effect("does not take a pod of another namespace as the parent, whatever its name", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(hubOf({ self, namespace: "staging" }))
        assert.strictEqual(error._tag, "InvalidSpec")
        assert.match(error.message, /web-0 in namespace prod.*`namespace` is staging.*leave `namespace` out.*to prod/)
      }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
    )

    it.effect("does not take a pod that has got the parent's name since", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(hubOf({ self: { ...self, uid: "uid-of-before" } }))
        assert.strictEqual(error._tag, "InvalidSpec")
        assert.match(error.message, /web-0 is not the pod of this process.*uid-of-before/)
      }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
    )

    it.effect("uses the downward API if its token names no pod", () =>
      Effect.gen(function* () {
        const { parent } = yield* hubOf({})
        assert.strictEqual(parent?.pod.metadata.uid, "uid-of-prod")
        const error = yield* Effect.flip(hubOf({ namespace: "staging" }))
        assert.match(error.message, /web-0 in namespace prod.*`namespace` is staging/)
      }).pipe(
        Effect.scoped,
        withEnv({ KUBERNETES_SERVICE_HOST: "mock", POD_NAME: "web-0", POD_NAMESPACE: "prod" }),
        Effect.provide(KubeMock.layer())
      )
    )
  })

  it.effect('makes no Secret with `key: "env"`', () =>
    Effect.gen(function* () {
      const client = yield* KubeClient
      yield* (yield* making({ key: "env" })).hub.get
      yield* TestClock.adjust("1 minute")
      assert.notProperty(client.requests(), "create secrets")
    }).pipe(Effect.scoped, Effect.provide(KubeMock.layer()))
  )
})
