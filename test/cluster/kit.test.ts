/** Tests the kit on which the other files rely. Shows no conformance row. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import * as Fiber from "effect/Fiber"
import * as Stage from "../fixtures/conformance-process/stage.ts"
import * as ParentPod from "./kit/ParentPod.ts"
import { inject } from "vitest"
import { create, exec, pod, remove, says } from "./kit/Cluster.ts"
import { leavesNothing, mark, processes } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { request } from "./kit/Api.ts"

const space = Namespaces.ofFile("kit")

const sleeper = (name: string) => ({
  metadata: { name },
  spec: {
    restartPolicy: "Never",
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    containers: [
      {
        name: "main",
        image: "localhost/node:24",
        env: [{ name: mark, value: space.name }],
        command: ["node", "-e", "console.log('here'); setInterval(() => {}, 1e6)"]
      }
    ]
  }
})

describe("the kit of the cluster tests", () => {
  it.live("sees pods, their logs and their processes, and runs programs in them", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        yield* create(space.name, "pods", sleeper("seen"))
        yield* pod(space.name, "seen", (pod) => pod.status?.phase === "Running", "the start")
        yield* says(space.name, "seen", /^here$/)
        assert.strictEqual(processes(space.name).length, 1)
        assert.match(yield* exec(space.name, "seen", "node", "--version"), /^v24\./)
        yield* remove(space.name, "pods", "seen")
      })
    )
  )

  it.live("fails a test that leaves a pod, by the pod's name", () =>
    Effect.gen(function* () {
      const left = yield* Effect.exit(leavesNothing(space.name, create(space.name, "pods", sleeper("left")), 500))
      assert.isTrue(Exit.isFailure(left))
      if (Exit.isFailure(left)) assert.match(Cause.pretty(left.cause), /no pods are left behind; there is .*"left"/)
      yield* remove(space.name, "pods", "left", { grace: 0 })
    })
  )

  it.live("fails a test that leaves a Secret, by its name", () =>
    Effect.gen(function* () {
      const secret = { metadata: { name: "forgotten" } }
      const left = yield* Effect.exit(leavesNothing(space.name, create(space.name, "secrets", secret), 500))
      assert.isTrue(Exit.isFailure(left))
      if (Exit.isFailure(left)) assert.match(Cause.pretty(left.cause), /no secrets are left behind; .*"forgotten"/)
      yield* remove(space.name, "secrets", "forgotten")
    })
  )

  it.live("has accounts with exactly the rights of their Role", () =>
    Effect.gen(function* () {
      const may = (account: string, verb: string, resource: string, subresource?: string) =>
        Effect.map(
          request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
            spec: {
              user: `system:serviceaccount:${space.name}:${account}`,
              resourceAttributes: { namespace: space.name, verb, resource, subresource }
            }
          }),
          ({ status }) => status.allowed as boolean
        )
      const table = [
        ["runner", "get", "pods", undefined, false],
        ["app-pods", "create", "pods", undefined, true],
        ["app-pods", "create", "secrets", undefined, false],
        ["app-secrets", "delete", "secrets", undefined, true],
        ["app-secrets", "get", "secrets", undefined, false],
        ["app-secrets", "get", "pods", "log", false],
        ["app", "get", "pods", "log", true],
        ["app", "list", "events", undefined, true],
        ["app", "create", "pods", "portforward", false],
        ["app-forward", "create", "pods", "portforward", true]
      ] as const
      for (const [account, verb, resource, subresource, expected] of table) {
        assert.strictEqual(yield* may(account, verb, resource, subresource), expected, `${account} ${verb} ${resource}`)
      }
    })
  )

  it.live("controls a parent in a pod, which has child processes here", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const stage = yield* Stage.makeFor("10.244.0.1")
        const { control, name } = yield* ParentPod.start(space.name, "parent", {
          stage: stage.path,
          env: { TEST_BACKEND: "local" },
          flame: { max: 1 }
        })
        assert.deepStrictEqual(yield* control.call("add", { a: 1, b: 2 }), { _tag: "Success", value: 3 })
        assert.deepInclude(yield* control.status, { backend: "process", max: 1, ready: 1 })
        assert.strictEqual((yield* control.events.nth("RunnerReady")).pool, "effect-flame/Pool")
        const failing = yield* Effect.forkScoped(control.call("play", { key: "a", stubborn: false }))
        assert.strictEqual((yield* stage.said("a", "started")).host, name)
        yield* stage.tell("a", "fail")
        assert.deepInclude(yield* Fiber.join(failing), { _tag: "Failure", error: "TooLong", message: "longer than 7" })
        const cut = yield* Effect.forkScoped(control.call("play", { key: "b", stubborn: false }))
        yield* stage.said("b", "started")
        yield* remove(space.name, "pods", name, { grace: 0 })
        assert.deepStrictEqual(yield* Fiber.join(cut), { _tag: "NoAnswer" })
      })
    )
  )

  it("has a cluster with two nodes", () => {
    assert.isAtLeast(inject("cluster").nodes.length, 2)
  })
})
