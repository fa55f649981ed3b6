/** Tests a rollout of three replicas under load, with a quota that leaves little room: C96. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { inject } from "vitest"
import type { KubeObject } from "./kit/Api.ts"
import { create, patch, pods, remove } from "./kit/Cluster.ts"
import type { Result } from "./kit/Control.ts"
import { runnerLabel } from "./kit/HostParent.ts"
import { leavesNothing } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"

const space = Namespaces.ofFile("rollout")

const replicas = 3

/** The quota: runners of the old parents, two more, and the parents of both versions. */
const room = replicas + 2 + replicas * 2

const nameOf = (result: Result): string => (result._tag === "Failure" ? result.error : result._tag)

/** Calls a parent again and again, two calls at a time, until it cannot be reached. */
const load = (name: string, note: (result: Result) => void) =>
  Effect.gen(function* () {
    const { control } = yield* ParentPod.attach(space.name, name)
    const again = Effect.gen(function* () {
      for (;;) {
        const result = yield* control.call("burn", { millis: 30 }, { timeout: 20_000 })
        if (result._tag === "NotReached") return
        note(result)
        // The pool is closing. A Service would send the request to another replica.
        if (nameOf(result) === "PoolClosed") return
      }
    })
    yield* Effect.all([again, again], { concurrency: 2, discard: true })
  })

const isNew = (pod: KubeObject) => pod.spec.containers[0].image === inject("cluster").images.other

describe("a rollout", () => {
  it.live("[C96] of three replicas under load, within a quota of the old runners and two more, fails no call", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        yield* create(space.name, "resourcequotas", { metadata: { name: "room" }, spec: { hard: { pods: `${room}` } } })
        yield* Effect.addFinalizer(() => remove(space.name, "resourcequotas", "room"))
        const template = ParentPod.template(space.name, {
          restartPolicy: "Always",
          labels: { app: "rollout" },
          flame: { max: 1, min: 1, idleTimeToLive: "2 seconds" }
        })
        const deployment = {
          metadata: { name: "app" },
          spec: { replicas, selector: { matchLabels: { app: "rollout" } }, template }
        }
        yield* Effect.acquireRelease(create(space.name, "deployments", deployment), () =>
          remove(space.name, "deployments", "app", { propagation: "Foreground" })
        )
        const counts: Record<string, number> = {}
        const note = (result: Result) => void (counts[nameOf(result)] = (counts[nameOf(result)] ?? 0) + 1)
        const loaded = (found: ReadonlyArray<KubeObject>) =>
          Effect.forEach(found, ({ metadata }) => Effect.forkScoped(load(metadata.name, note)))
        const ofApp = (what: string, look: (pods: ReadonlyArray<KubeObject>) => ReadonlyArray<KubeObject>) =>
          pods(space.name, "app=rollout", (pods) => look(pods).length === replicas && look(pods), what)
        const running = (pods: ReadonlyArray<KubeObject>) => pods.filter(({ status }) => status.phase === "Running")

        const old = yield* ofApp("three replicas run", running)
        const olds = yield* loaded(old)
        yield* pods(space.name, runnerLabel, (pods) => running(pods).length >= replicas, "each has its runner")

        yield* patch(space.name, "deployments", "app", {
          spec: { template: { spec: { containers: [{ name: "app", image: inject("cluster").images.other }] } } }
        })
        const fresh = yield* ofApp("three new replicas run", (pods) => running(pods).filter(isNew))
        yield* loaded(fresh)
        for (const fiber of olds) yield* Fiber.join(fiber)
        const names = new Set(old.map(({ metadata }) => metadata.uid as string))
        yield* pods(
          space.name,
          runnerLabel,
          (pods) =>
            pods.every(({ metadata }) =>
              [...names].every((uid) => !metadata.labels["flame.dev/parent"].startsWith(uid))
            ),
          "the runners of the old parents are gone"
        )
        yield* remove(space.name, "deployments", "app", { propagation: "Foreground" })
        yield* pods(space.name, "", (pods) => pods.length === 0, "no pod is left")
        const { PoolClosed: _closed, Success = 0, TimedOut = 0, ...others } = counts
        assert.deepStrictEqual(others, {})
        assert.isAbove(Success, replicas * 4)
        // The quota leaves room for one runner of each replica, so hardly any call waits for its 20 s.
        assert.isAtMost(TimedOut, (Success + TimedOut) / 20, JSON.stringify(counts))
      })
    )
  )
})
