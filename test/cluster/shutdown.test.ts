/** Tests parents and runners that are deleted at the same moment: C95. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stage from "../fixtures/conformance-process/stage.ts"
import { create, evict, list, pods, remove } from "./kit/Cluster.ts"
import type { Control } from "./kit/Control.ts"
import { host, runnerLabel } from "./kit/HostParent.ts"
import { leavesNothing } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"

const space = Namespaces.ofFile("shutdown")

/**
 * Checks that nothing boots after the parent got its signal. A runner that gets its signal first is replaced until
 * then, so the order of the pool's events counts.
 */
const bootsNothing = ({ events: { seen } }: Control): void => {
  const told = seen.map(({ _tag }) => _tag)
  assert.notInclude(told.slice(told.indexOf("PoolClosing")), "BootStarted")
}

const play = (key: string) => ["play", { key, stubborn: false }] as const

describe("a parent and its runners", () => {
  it.live("[C95] deleted with their Deployment in the foreground: calls finish, and nothing is left", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const stage = yield* Stage.makeFor(host)
        const template = ParentPod.template(space.name, {
          stage: stage.path,
          restartPolicy: "Always",
          flame: { min: 1 }
        })
        const deployment = {
          metadata: { name: "app" },
          spec: { replicas: 1, selector: { matchLabels: { app: "parent" } }, template }
        }
        yield* Effect.acquireRelease(create(space.name, "deployments", deployment), () =>
          remove(space.name, "deployments", "app", { propagation: "Foreground" })
        )
        const [pod] = yield* pods(space.name, "app=parent", (pods) => pods.length === 1 && pods, "the parent is there")
        const { control } = yield* ParentPod.attach(space.name, pod.metadata.name)
        const call = yield* Effect.forkScoped(control.call(...play("a")))
        yield* stage.said("a", "started")
        yield* remove(space.name, "deployments", "app", { propagation: "Foreground" })
        yield* control.events.nth("PoolClosing")
        yield* stage.tell("a", "return")
        assert.strictEqual((yield* Fiber.join(call))._tag, "Success")
        yield* pods(space.name, "", (pods) => pods.length === 0, "no pod is left")
        bootsNothing(control)
      })
    )
  )

  it.live(
    "[C95] evicted from their common node: calls finish or get RunnerLost, nothing boots once the parent closes",
    () =>
      leavesNothing(
        space.name,
        Effect.gen(function* () {
          const stage = yield* Stage.makeFor(host)
          const { control, name } = yield* ParentPod.start(space.name, "drained", {
            stage: stage.path,
            node: "node2",
            flame: { min: 1, max: 3 }
          })
          const call = yield* Effect.forkScoped(control.call(...play("a")))
          const { host: runner } = yield* stage.said("a", "started")
          const [found] = yield* list(space.name, "pods", runnerLabel)
          assert.strictEqual(found.spec.nodeName, "node2")
          // As a drain does, both at once.
          yield* Effect.all([evict(space.name, name), evict(space.name, runner)], { concurrency: 2 })
          yield* control.events.nth("PoolClosing")
          yield* stage.tell("a", "return")
          const outcome = yield* Fiber.join(call)
          assert.isTrue(outcome._tag === "Success" || (outcome._tag === "Failure" && outcome.error === "RunnerLost"))
          yield* pods(space.name, "", (pods) => pods.length === 0, "no pod is left")
          bootsNothing(control)
        })
      )
  )

  it.live(
    "[C95] whose parent is deleted by force: its runners interrupt their calls and end, with pods and Secrets",
    () =>
      leavesNothing(
        space.name,
        Effect.gen(function* () {
          const stage = yield* Stage.makeFor(host)
          const { control, name } = yield* ParentPod.start(space.name, "forced", { stage: stage.path })
          const call = yield* Effect.forkScoped(control.call(...play("a")))
          yield* stage.said("a", "started")
          yield* remove(space.name, "pods", name, { grace: 0 })
          assert.strictEqual((yield* Fiber.join(call))._tag, "NoAnswer")
          yield* stage.said("a", "finalized")
          yield* pods(space.name, "", (pods) => pods.length === 0, "no pod is left")
        })
      )
  )

  it.live("[C95] deleted together by one request: calls finish, nothing boots once the parent closes", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const stage = yield* Stage.makeFor(host)
        const { control, name } = yield* ParentPod.start(space.name, "together", {
          stage: stage.path,
          flame: { min: 1 }
        })
        const call = yield* Effect.forkScoped(control.call(...play("a")))
        const { host: runner } = yield* stage.said("a", "started")
        yield* Effect.all([remove(space.name, "pods", name), remove(space.name, "pods", runner)], { concurrency: 2 })
        yield* control.events.nth("PoolClosing")
        yield* stage.tell("a", "return")
        assert.strictEqual((yield* Fiber.join(call))._tag, "Success")
        yield* pods(space.name, "", (pods) => pods.length === 0, "no pod is left")
        bootsNothing(control)
      })
    )
  )
})
