/** Tests that a parent that is killed for good leaves nothing for longer than an hour. C166. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import * as Stage from "../fixtures/conformance-process/stage.ts"
import { until } from "../fixtures/conformance-process/patience.ts"
import { add } from "./apps/functions.ts"
import type { KubeObject } from "./kit/Api.ts"
import { get, gone, list, patch, pod, pods, remove } from "./kit/Cluster.ts"
import { host, onHost, runnerLabel } from "./kit/HostParent.ts"
import { kill, leavesNothing, mark, processes } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"

const space = Namespaces.ofFile("leftovers")

/** Runners with a sidecar that does not end by itself. */
const withSidecar = () => ({
  manifest: {
    spec: {
      containers: [
        { name: "runner" },
        {
          name: "log-agent",
          image: "localhost/node:24",
          command: ["node", "-e", "setInterval(() => {}, 1e6)"],
          env: [{ name: mark, value: space.name }]
        }
      ]
    }
  }
})

const ended = ({ status }: KubeObject, container: string) =>
  status.containerStatuses?.find(({ name }: { name: string }) => name === container)?.state.terminated !== undefined

/** A parent with one runner that has a sidecar. */
const busy = (name: string, restartPolicy: "Always" | "Never") =>
  Effect.gen(function* () {
    const stage = yield* Stage.makeFor(host)
    const options = { restartPolicy, stage: stage.path, kubernetes: withSidecar() }
    const parent = yield* ParentPod.start(space.name, name, options)
    assert.deepInclude(yield* parent.control.call("add", { a: 1, b: 2 }), { _tag: "Success" })
    const [runner] = yield* list(space.name, "pods", runnerLabel)
    return { parent, runner: runner! }
  })

describe("a parent that is killed", () => {
  it.live("[C166] in a pod that stays listed leaves nothing when the time of its Job is over, sidecars included", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { parent, runner } = yield* busy("failed", "Never")
        const [owner] = runner.metadata.ownerReferences
        assert.deepInclude(owner, { kind: "Job", controller: true })
        const job = yield* get(space.name, "jobs", owner.name)
        assert.deepInclude(job.metadata.ownerReferences[0], { kind: "Pod", uid: parent.uid })
        assert.isAtMost(job.spec.ttlSecondsAfterFinished, 3_000)
        const secrets = yield* list(space.name, "secrets", "flame.dev/parent")
        assert.isNotEmpty(secrets)
        assert.isTrue(secrets.every(({ metadata }) => metadata.ownerReferences[0].uid === owner.uid))
        yield* kill(space.name, parent.name)
        yield* pod(space.name, parent.name, ({ status }) => status.phase === "Failed", "the failure")
        const left = yield* pod(space.name, runner.metadata.name, (pod) => ended(pod, "runner") && pod, "the end")
        assert.isFalse(ended(left, "log-agent"))
        // The hour in which nothing extends the Job.
        yield* patch(space.name, "jobs", owner.name, { spec: { ttlSecondsAfterFinished: 1 } })
        yield* gone(space.name, "jobs", owner.name)
        yield* gone(space.name, "pods", runner.metadata.name)
        for (const { metadata } of secrets) yield* gone(space.name, "secrets", metadata.name)
        yield* until(() => processes(space.name).length === 0, "no process is left")
      })
    )
  )

  it.live("[C166] in a container that restarts has its ended runner deleted, although a sidecar still runs", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { parent, runner } = yield* busy("restarted", "Always")
        yield* kill(space.name, parent.name)
        yield* pod(space.name, runner.metadata.name, (pod) => ended(pod, "runner"), "the end")
        yield* gone(space.name, "pods", runner.metadata.name)
      })
    )
  )
})

describe("a parent whose Job is deleted", () => {
  it.live("[C166] boots its next runners under another Job", () =>
    onHost(space, {}, () =>
      Effect.gen(function* () {
        const call = Flame.call(add, { a: 1, b: 2 })
        assert.strictEqual(yield* call, 3)
        const owners = (found: ReadonlyArray<KubeObject>) => found.map(({ metadata }) => metadata.ownerReferences[0])
        const [owner] = owners(yield* list(space.name, "pods", runnerLabel))
        yield* remove(space.name, "jobs", owner.name, { propagation: "Background" })
        yield* pods(
          space.name,
          runnerLabel,
          (pods) => owners(pods).every(({ uid }) => uid !== owner.uid),
          "the runner is deleted with its owner"
        )
        assert.strictEqual(yield* call, 3)
        const next = owners(yield* list(space.name, "pods", runnerLabel))
        assert.isTrue(next.every(({ kind, uid }) => kind === "Job" && uid !== owner.uid))
      })
    )
  )
})
