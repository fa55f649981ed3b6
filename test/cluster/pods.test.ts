/**
 * Tests parents in pods without any options (C2, C50, C51, C61, C92, C94), and their behaviour under each of three
 * Roles.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { timed } from "../fixtures/conformance-process/harness.ts"
import * as Stage from "../fixtures/conformance-process/stage.ts"
import { until } from "../fixtures/conformance-process/patience.ts"
import type { KubeObject } from "./kit/Api.ts"
import { get, log, pod, pods, remove } from "./kit/Cluster.ts"
import { host, runnerLabel } from "./kit/HostParent.ts"
import { kill, leavesNothing, processes } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"
import { within } from "./kit/Times.ts"

const space = Namespaces.ofFile("pods")

const three = { _tag: "Success", value: 3 } as const
const add = { a: 1, b: 2 }

/** A parent with a call that runs on a runner, and the name of that runner's pod. */
const busy = Effect.fnUntraced(function* (name: string, options: ParentPod.ParentOptions = {}) {
  const stage = yield* Stage.makeFor(host)
  const parent = yield* ParentPod.start(space.name, name, { stage: stage.path, ...options })
  const call = yield* Effect.forkScoped(parent.control.call("play", { key: "a", stubborn: false }))
  const { host: runner } = yield* stage.said("a", "started")
  return { stage, parent, call, runner }
})

const runnersGone = Effect.suspend(() =>
  pods(space.name, runnerLabel, (pods) => pods.length === 0, "the runners are gone")
)

describe("a parent in a pod", () => {
  it.live("[C2] has runners like itself, which it owns and which have no rights", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { call, parent, runner, stage } = yield* busy("like")
        const own = yield* get(space.name, "pods", parent.name)
        const { metadata, spec } = yield* get(space.name, "pods", runner)
        const [owner] = metadata.ownerReferences
        assert.deepInclude(owner, { kind: "Job", controller: true })
        const job = yield* get(space.name, "jobs", owner.name)
        assert.deepInclude(job.metadata.ownerReferences[0], { name: parent.name, uid: parent.uid })
        assert.strictEqual(metadata.labels["app"], undefined)
        assert.strictEqual(spec.containers[0].image, own.spec.containers[0].image)
        assert.strictEqual(spec.containers[0].resources.limits.memory, "256Mi")
        assert.strictEqual(spec.automountServiceAccountToken, false)
        assert.deepStrictEqual(spec.volumes ?? [], [])
        assert.isUndefined(spec.containers[0].readinessProbe)
        yield* stage.tell("a", "return")
        assert.deepInclude(yield* Fiber.join(call), { _tag: "Success" })
      })
    )
  )

  it.live("[C2] finds its own pod by its token if its environment does not name the pod", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control, uid } = yield* ParentPod.start(space.name, "token", { downward: false })
        assert.deepStrictEqual(yield* control.call("add", add), three)
        const [runner] = yield* pods(space.name, runnerLabel, (pods) => pods.length > 0 && pods, "there is a runner")
        assert.isTrue(runner.metadata.labels["flame.dev/parent"].startsWith(uid))
      })
    )
  )

  it.live("[C92] has runners without rights at the API server, which shut down completely", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control } = yield* ParentPod.start(space.name, "rights", { flame: { idleTimeToLive: "300 millis" } })
        const tried = yield* control.call("try-api")
        assert.deepStrictEqual(tried, { _tag: "Success", value: { token: false, status: 403 } })
        const gone = yield* control.events.nth("RunnerGone")
        assert.strictEqual(gone.exit.gone, true)
        yield* runnersGone
      })
    )
  )

  it.live('needs only the rights to pods with `key: "env"`', () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control } = yield* ParentPod.start(space.name, "only-pods", {
          rights: "pods",
          kubernetes: { key: "env" }
        })
        assert.deepStrictEqual(yield* control.call("add", add), three)
      })
    )
  )

  it.live("needs only the rights to pods and Secrets, and leaves no Secret", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control } = yield* ParentPod.start(space.name, "secrets", { rights: "secrets" })
        assert.deepStrictEqual(yield* control.call("add", add), three)
      })
    )
  )

  it.live("with the rights to pods alone names the Role that it needs", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control } = yield* ParentPod.start(space.name, "poor", { rights: "pods" })
        const failed = yield* control.call("add", add)
        assert.deepInclude(failed, { _tag: "Failure", error: "BootFailed" })
        assert.match((failed as { message: string }).message, /may not create secrets.*kind: Role/s)
      })
    )
  )

  it.live(
    "[C61] lets calls in flight end on SIGTERM, is then gone with its runners, and exits with 143 as its app had not ended",
    () =>
      leavesNothing(
        space.name,
        Effect.gen(function* () {
          const { call, parent, stage } = yield* busy("term")
          // The exit code is visible for a moment only, so the watch must be open before.
          const ended = yield* Effect.forkScoped(
            pod(space.name, parent.name, (pod) => pod.status.containerStatuses?.[0]?.state?.terminated, "the end")
          )
          yield* remove(space.name, "pods", parent.name)
          yield* parent.control.events.nth("PoolClosing")
          assert.deepInclude(yield* parent.control.call("add", add), { _tag: "Failure", error: "PoolClosed" })
          yield* stage.tell("a", "return")
          assert.deepInclude(yield* Fiber.join(call), { _tag: "Success" })
          assert.deepInclude(yield* Fiber.join(ended), { exitCode: 143 })
          yield* runnersGone
        })
      )
  )

  it.live("[C51] that is killed leaves runners that interrupt their calls and end by themselves", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { parent, stage } = yield* busy("killed", { restartPolicy: "Never" })
        yield* kill(space.name, parent.name)
        yield* stage.said("a", "finalized")
        yield* until(() => processes(space.name).length === 0, "no process is left")
      })
    )
  )

  it.live("[C50] that its runners cannot reach has runners that end within their boot deadline", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { control } = yield* ParentPod.start(space.name, "unreachable", {
          // An address that no machine has, so packets are lost.
          kubernetes: { advertise: "10.244.0.254" },
          flame: { bootTimeout: "4 seconds", max: 1 }
        })
        const call = yield* Effect.forkScoped(control.call("add", add, { timeout: 5_500 }))
        const failed = yield* control.events.nth("BootFailed")
        assert.strictEqual(failed.cause._tag, "NeverConnected")
        assert.deepInclude(yield* Fiber.join(call), { _tag: "Failure" })
      })
    )
  )

  it.live("[C50] that is killed amid a boot leaves a runner that ends by itself within its boot deadline", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const parent = yield* ParentPod.start(space.name, "killed-amid", {
          kubernetes: { advertise: "10.244.0.254" },
          flame: { bootTimeout: "8 seconds", max: 1 }
        })
        yield* Effect.forkScoped(parent.control.call("add", add, { timeout: 30_000 }))
        const state = ({ status }: KubeObject) => status?.containerStatuses?.[0]?.state
        const [runner] = yield* pods(
          space.name,
          runnerLabel,
          (pods) => pods[0] !== undefined && state(pods[0])?.running !== undefined && pods,
          "the runner runs"
        )
        yield* kill(space.name, parent.name)
        // No parent is left that would delete the pod.
        const [terminated, took] = yield* timed(
          pod(space.name, runner.metadata.name, (pod) => state(pod)?.terminated, "the end")
        )
        assert.notStrictEqual(terminated.exitCode, 137)
        within("a runner that cannot reach its parent ends by itself", took, 8_000 + 5_000)
        yield* remove(space.name, "pods", runner.metadata.name)
      })
    )
  )

  it.live("[C94] whose container restarts has new runners that serve, and those of its former life are gone", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const { parent, runner, stage } = yield* busy("restarts", { restartPolicy: "Always" })
        yield* kill(space.name, parent.name)
        yield* stage.said("a", "finalized")
        yield* pod(
          space.name,
          parent.name,
          (pod) => pod.status.containerStatuses?.[0]?.restartCount === 1,
          "the restart"
        )
        const again = yield* ParentPod.attach(space.name, parent.name)
        assert.deepStrictEqual(yield* again.control.call("add", add), three)
        yield* pods(
          space.name,
          runnerLabel,
          (pods) => pods.every(({ metadata }) => metadata.name !== runner),
          "the runner of its former life is gone"
        )
        const said = yield* log(space.name, parent.name)
        assert.notMatch(said, /error/i)
      })
    )
  )
})
