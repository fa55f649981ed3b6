/**
 * Further failure drills beside failing.test.ts and calls.test.ts: boots that lack an object or a right, and a token
 * that changes.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { inject } from "vitest"
import * as Flame from "../../src/Flame.ts"
import { BootFailed } from "../../src/error/FlameError.ts"
import { begin, reasonOf, timed } from "../fixtures/conformance-process/harness.ts"
import { add } from "./apps/functions.ts"
import { request, statusFor } from "./kit/Api.ts"
import { collection, create, pods, remove } from "./kit/Cluster.ts"
import { onHost, runnerLabel } from "./kit/HostParent.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { throughProxy } from "./kit/ProxiedParent.ts"
import { within } from "./kit/Times.ts"

const space = Namespaces.ofFile("drill")

const call = Flame.call(add, { a: 1, b: 2 })

/** Creates an object in the namespace, until the Scope closes. */
const having = (resource: string, name: string, rest: object) =>
  Effect.acquireRelease(create(space.name, resource, { metadata: { name }, ...rest }), () =>
    remove(space.name, resource, name)
  )

/** The cause with which a call fails whose runner cannot boot, and the time it took in milliseconds. */
const bootFailure = Effect.map(timed(reasonOf(call)), ([reason, took]) => {
  assert.instanceOf(reason, BootFailed)
  return { cause: reason.cause, took }
})

describe("a boot that fails", () => {
  it.live("for a missing key in a Secret of the app names the key within 15 s", () =>
    Effect.gen(function* () {
      yield* having("secrets", "settings", { stringData: { user: "me" } })
      const env = [{ name: "PASSWORD", valueFrom: { secretKeyRef: { name: "settings", key: "password" } } }]
      yield* onHost(space, { manifest: { spec: { containers: [{ name: "runner", env }] } } }, () =>
        Effect.map(bootFailure, ({ cause, took }) => {
          assert.match(cause.message, /password.*settings/)
          within("missing key of a Secret", took, 15_000)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("for a missing volume names the volume when the kubelet has waited for it for 10 s", () =>
    Effect.suspend(() => {
      const volumeMounts = [{ name: "settings", mountPath: "/settings" }]
      const volumes = [{ name: "settings", configMap: { name: "not-there" } }]
      const manifest = { spec: { volumes, containers: [{ name: "runner", volumeMounts }] } }
      return onHost(space, { manifest }, ({ events }) =>
        Effect.gen(function* () {
          const waiting = yield* Effect.forkScoped(call)
          const told = yield* events.until(
            () => events.of("BootProgress").find(({ detail }) => /FailedMount/.test(detail ?? "")),
            "the kubelet's words"
          )
          assert.match(told.detail ?? "", /not-there/)
          within("missing volume, told in events", told.at, 15_000)
          // The kubelet looks for the volume again, with growing pauses.
          yield* having("configmaps", "not-there", { data: {} })
          assert.strictEqual(yield* Fiber.join(waiting), 3)
        })
      )
    })
  )

  it.live("for a volume that never appears does so at bootTimeout, with the kubelet's message", () =>
    Effect.suspend(() => {
      const volumeMounts = [{ name: "settings", mountPath: "/settings" }]
      const volumes = [{ name: "settings", configMap: { name: "never-there" } }]
      const manifest = { spec: { volumes, containers: [{ name: "runner", volumeMounts }] } }
      return onHost(space, { manifest, bootTimeout: "14 seconds" }, ({ events }) =>
        Effect.gen(function* () {
          const waiting = yield* Effect.forkScoped(Effect.exit(call))
          const { cause } = yield* events.nth("BootFailed")
          assert.strictEqual(cause._tag, "NeverConnected")
          assert.match(cause.message, /FailedMount.*never-there/s)
          yield* Fiber.interrupt(waiting)
        })
      )
    })
  )

  it.live("for more memory than a LimitRange allows names the LimitRange at once", () =>
    Effect.gen(function* () {
      yield* having("limitranges", "small", { spec: { limits: [{ type: "Container", max: { memory: "32Mi" } }] } })
      yield* onHost(space, {}, () =>
        Effect.map(bootFailure, ({ cause, took }) => {
          assert.deepInclude(cause, { _tag: "AdmissionDenied", by: "LimitRange" })
          assert.match(cause.message, /maximum memory usage per Container is 32Mi/)
          within("LimitRange", took, 3_000)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("for missing rights names the rights, with the Role to apply", () =>
    throughProxy(space, { account: "runner" }, ({ proxy }) =>
      Effect.gen(function* () {
        const { cause, took } = yield* bootFailure
        assert.strictEqual(cause._tag, "Forbidden")
        assert.match(cause.message, /create pods.*kind: Role/s)
        within("RBAC missing", took, 5_000)
        assert.isUndefined(proxy.counts["create secrets"])
      })
    )
  )
})

it.live("limits that a LimitRange adds to runners are reported once", () =>
  Effect.gen(function* () {
    const limits = [{ type: "Container", default: { cpu: "1" }, defaultRequest: { cpu: "20m" } }]
    yield* having("limitranges", "defaults", { spec: { limits } })
    yield* onHost(space, { max: 2 }, (scene) =>
      Effect.gen(function* () {
        const [a, b] = [yield* begin(scene, "a"), yield* begin(scene, "b")]
        const told = scene.log.lines.filter(({ text }) => /LimitRange/.test(text))
        assert.strictEqual(told.length, 1)
        assert.match(told[0]!.text, /a limit of 1 for cpu/)
        yield* a.end
        yield* b.end
      })
    )
  }).pipe(Effect.scoped)
)

it.live("a boot that waits for a node is given up when no call needs its runner any more", () =>
  onHost(space, { nodeSelector: { "flame.test/none": "such" } }, ({ events, runners }) =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkScoped(call)
      yield* events.until(
        () => events.of("BootProgress").find(({ detail }) => /nodes are available/.test(detail ?? "")),
        "the scheduler's words"
      )
      yield* Fiber.interrupt(waiting)
      const [, took] = yield* timed(
        Effect.andThen(
          events.nth("BootGivenUp"),
          runners((pods) => pods.length === 0, "it is gone")
        )
      )
      within("unschedulable, given up", took, 5_000)
      assert.strictEqual(events.of("BootFailed").length, 0)
    })
  )
)

/** A token that is valid for as long as a Secret exists. */
const boundToken = (name: string) =>
  Effect.gen(function* () {
    const secret = yield* create(space.name, "secrets", { metadata: { name } })
    const { status } = yield* Effect.orDie(
      request("POST", `${collection(space.name, "serviceaccounts")}/app/token`, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { boundObjectRef: { apiVersion: "v1", kind: "Secret", name, uid: secret.metadata.uid } }
      })
    )
    return status.token as string
  })

/** Waits until the API server rejects a token that was valid. */
const refused = (token: string) => {
  const ask = statusFor(token, collection(space.name, "pods"))
  return Effect.repeat(Effect.delay(ask, 500), { until: (status) => status === 401 })
}

/** A kubeconfig whose token is in a file. */
const rotating = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "flame-token-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
  const { ca, server } = inject("cluster").access
  const [kubeconfig, tokenFile] = [join(folder, "config"), join(folder, "token")]
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "c", cluster: { server, "certificate-authority-data": Buffer.from(ca).toString("base64") } }],
    users: [{ name: "u", user: { tokenFile } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: space.name } }],
    "current-context": "x"
  }
  writeFileSync(kubeconfig, JSON.stringify(config))
  // Replaces the file atomically, as the kubelet does, so that no reader sees half a token.
  const put = (token: string) =>
    Effect.sync(() => {
      writeFileSync(`${tokenFile}.new`, token)
      renameSync(`${tokenFile}.new`, tokenFile)
    })
  return { kubeconfig, put }
})

describe("a token of a parent", () => {
  it.live("that is replaced before the old one expires causes no failure", () =>
    Effect.gen(function* () {
      const [old, next] = [yield* boundToken("old"), yield* boundToken("next")]
      yield* Effect.addFinalizer(() => remove(space.name, "secrets", "next"))
      const { kubeconfig, put } = yield* rotating
      yield* put(old)
      yield* onHost(space, { kubeconfig, max: 2, idleTimeToLive: "1 second" }, (scene) =>
        Effect.gen(function* () {
          const held = yield* begin(scene, "a")
          yield* put(next)
          yield* remove(space.name, "secrets", "old")
          yield* refused(old)
          assert.strictEqual(yield* call, 3)
          yield* held.end
          yield* pods(space.name, runnerLabel, (pods) => pods.length === 0, "the runners are gone")
          assert.strictEqual(scene.events.of("BootFailed").length, 0)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.live("that expires before it is replaced delays boots until then, and calls in flight go on", () =>
    Effect.gen(function* () {
      const [old, next] = [yield* boundToken("old"), yield* boundToken("next")]
      yield* Effect.addFinalizer(() => remove(space.name, "secrets", "next"))
      const { kubeconfig, put } = yield* rotating
      yield* put(old)
      yield* onHost(space, { kubeconfig, max: 2 }, (scene) =>
        Effect.gen(function* () {
          const held = yield* begin(scene, "a")
          yield* remove(space.name, "secrets", "old")
          yield* refused(old)
          const waiting = yield* Effect.forkScoped(call)
          yield* scene.events.until(
            () =>
              scene.events
                .of("BootProgress")
                .find(({ detail }) => /credentials of this process are not accepted/.test(detail ?? "")),
            "that its token is not accepted"
          )
          yield* put(next)
          assert.strictEqual(yield* Fiber.join(waiting), 3)
          yield* held.end
          assert.strictEqual(scene.events.of("BootFailed").length, 0)
        })
      )
    }).pipe(Effect.scoped)
  )
})
