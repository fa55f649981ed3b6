/** The token of a parent's service account, which its kubelet replaces while the parent runs. */
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

/** The least that a kubelet takes; it replaces the token when 80 % of it are over. */
const expirationSeconds = 600

/** What the kubelet mounts by itself, but for the time that the token is good. */
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

it.live("a token that the kubelet replaces: boots go on after the end of the first one, and none fails", () =>
  leavesNothing(
    space.name,
    Effect.gen(function* () {
      const { control, name } = yield* ParentPod.start(space.name, "rotated", {
        bend: mounted,
        flame: { idleTimeToLive: "1 second" }
      })
      const token = exec(space.name, name, "cat", `${directory}/token`)
      const status = (token: string) => statusFor(token.trim(), collection(space.name, "pods"))
      // a runner for each of them, so that the API server is asked all the time
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
