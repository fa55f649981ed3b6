/** Tests the token of a parent's service account, which the kubelet replaces while the parent runs. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type KubeObject, statusFor } from "./kit/Api.ts"
import { collection, exec, pods } from "./kit/Cluster.ts"
import { runnerLabel } from "./kit/HostParent.ts"
import { leavesNothing } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"

const space = Namespaces.ofFile("token")

const directory = "/var/run/secrets/kubernetes.io/serviceaccount"

/** The shortest lifetime that a kubelet accepts, in seconds. The kubelet replaces the token after 80 % of it. */
const expirationSeconds = 600

/** The volume that the kubelet mounts by default, with a shorter lifetime of the token. */
const mounted = (spec: KubeObject): KubeObject => {
  const sources = [
    { serviceAccountToken: { path: "token", expirationSeconds } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } }
  ]
  const [container] = spec.containers
  return {
    ...spec,
    automountServiceAccountToken: false,
    volumes: [{ name: "account", projected: { sources } }],
    containers: [{ ...container, volumeMounts: [{ name: "account", mountPath: directory, readOnly: true }] }]
  }
}

it.live("a token that the kubelet replaces: boots go on after the first token has expired, and none fails", () =>
  leavesNothing(
    space.name,
    Effect.gen(function* () {
      const { control, name } = yield* ParentPod.start(space.name, "rotated", {
        bend: mounted,
        flame: { idleTimeToLive: "1 second" }
      })
      const token = exec(space.name, name, "cat", `${directory}/token`)
      const status = (token: string) => statusFor(token.trim(), collection(space.name, "pods"))
      // A runner for each call, so that requests are sent to the API server all the time.
      const boot = Effect.gen(function* () {
        const outcome = yield* control.call("add", { a: 1, b: 2 })
        assert.deepStrictEqual(outcome, { _tag: "Success", value: 3 })
        yield* pods(space.name, runnerLabel, (pods) => pods.length === 0, "the runner is gone")
      })
      const first = yield* token
      assert.strictEqual(yield* status(first), 200)
      const began = Date.now()
      const limit = began + 2 * expirationSeconds * 1_000
      while ((yield* status(first)) === 200) {
        assert.isBelow(Date.now(), limit, "the first token ends")
        yield* boot
        yield* Effect.sleep("10 seconds")
      }
      assert.isAbove(Date.now() - began, expirationSeconds * 900)
      const next = yield* token
      assert.notStrictEqual(next, first)
      assert.strictEqual(yield* status(next), 200)
      yield* boot
      assert.strictEqual(control.events.of("BootFailed").length, 0)
      const refused = control.events.of("BootProgress").filter(({ detail = "" }) => /token/.test(detail))
      assert.deepStrictEqual(refused, [])
    })
  )
)
