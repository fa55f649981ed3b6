/** Tests that parents beside each other never see or delete each other's runners. C93. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { inject } from "vitest"
import * as Flame from "../../src/Flame.ts"
import { begin } from "../fixtures/conformance-process/harness.ts"
import * as Stage from "../fixtures/conformance-process/stage.ts"
import { add } from "./apps/functions.ts"
import type { KubeObject } from "./kit/Api.ts"
import { get, gone, list, remove } from "./kit/Cluster.ts"
import * as Control from "./kit/Control.ts"
import { freePort, host, inPool, kubeconfig, runnerLabel } from "./kit/HostParent.ts"
import { kill, leavesNothing } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"

const space = Namespaces.ofFile("ownership")

/** Starts a call on a parent, and returns the pod in which the call runs. */
const hold = Effect.fnUntraced(function* (stage: Stage.Stage, control: Control.Control, key: string) {
  const fiber = yield* Effect.forkScoped(control.call("play", { key, stubborn: false }))
  const { host: runner } = yield* stage.said(key, "started")
  const end = Effect.andThen(stage.tell(key, "return"), Fiber.join(fiber))
  return { fiber, runner, end }
})

const parentOf = (runner: KubeObject): string => runner.metadata.labels["flame.dev/parent"]

describe("parents beside each other", () => {
  it.live("[C93] two apps, and two versions of one: when one ends, the other's runners and calls stay", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const stage = yield* Stage.makeFor(host)
        const { app, other } = inject("cluster").images
        const started = yield* Effect.forEach(
          [
            ["one", app],
            ["two", app],
            ["newer", other]
          ] as const,
          ([name, image]) => ParentPod.start(space.name, name, { image, stage: stage.path, flame: { min: 1 } }),
          { concurrency: 3 }
        )
        const calls = yield* Effect.forEach(started, ({ control, name }) => hold(stage, control, name))
        for (const [index, { runner }] of calls.entries()) {
          const label = parentOf(yield* get(space.name, "pods", runner))
          assert.isTrue(label.startsWith(started[index]!.uid), label)
        }
        // One ends normally, one by force.
        yield* remove(space.name, "pods", "one")
        yield* started[0].control.events.nth("PoolClosing")
        yield* calls[0].end
        yield* gone(space.name, "pods", calls[0].runner)
        yield* remove(space.name, "pods", "two", { grace: 0 })
        yield* gone(space.name, "pods", calls[1]!.runner)
        const own = yield* get(space.name, "pods", calls[2]!.runner)
        assert.isUndefined(own.metadata.deletionTimestamp)
        assert.strictEqual((yield* calls[2]!.end)._tag, "Success")
        const { totals } = yield* started[2]!.control.status
        assert.strictEqual(totals.runnersLost, 0)
      })
    )
  )

  it.live("[C93] two containers of a pod: a killed one loses only its own runners", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const stage = yield* Stage.makeFor(host)
        const options = (container: string, port: number) =>
          JSON.stringify({ max: 1, cancelGrace: "1 second", kubernetes: { port, container } })
        const bend = (spec: KubeObject): KubeObject => {
          const [first] = spec.containers
          const with_ = (name: string, more: Readonly<Record<string, string>>) => ({
            ...first,
            name,
            env: [
              ...first.env.filter(({ name }: { name: string }) => !(name in more)),
              ...Object.entries(more).map(([name, value]) => ({ name, value }))
            ]
          })
          return {
            ...spec,
            containers: [
              with_("left", { TEST_OPTIONS: options("left", 9345) }),
              with_("right", { TEST_OPTIONS: options("right", 9346), TEST_PORT: "8081" })
            ]
          }
        }
        const parent = yield* ParentPod.start(space.name, "both", { stage: stage.path, bend })
        const right = yield* Control.connect(parent.ip, 8081)
        const one = yield* hold(stage, parent.control, "left")
        const two = yield* hold(stage, right, "right")
        const labels = yield* Effect.forEach([one, two], ({ runner }) => get(space.name, "pods", runner))
        assert.notStrictEqual(parentOf(labels[0]), parentOf(labels[1]))
        yield* kill(space.name, parent.name, "TEST_PORT=8081")
        yield* stage.said("right", "finalized")
        const left = yield* get(space.name, "pods", one.runner)
        assert.isUndefined(left.metadata.deletionTimestamp)
        assert.strictEqual((yield* one.end)._tag, "Success")
      })
    )
  )

  it.live("[C93] two FlameLayers of one process: when one closes, the other's runners stay", () =>
    Effect.suspend(() =>
      leavesNothing(
        space.name,
        Effect.gen(function* () {
          const shared = { kubeconfig: yield* kubeconfig(space.name), port: yield* freePort }
          yield* inPool(space, shared, (outer) =>
            Effect.gen(function* () {
              const held = yield* begin(outer, "outer")
              const inner = yield* Effect.scoped(
                inPool(space, shared, (inner) =>
                  Effect.gen(function* () {
                    const { end, host } = yield* begin(inner, "inner")
                    assert.strictEqual((yield* list(space.name, "pods", runnerLabel)).length, 2)
                    yield* end
                    return host
                  })
                )
              )
              yield* gone(space.name, "pods", inner)
              const own = yield* get(space.name, "pods", held.host)
              assert.isUndefined(own.metadata.deletionTimestamp)
              yield* held.end
              assert.strictEqual(yield* Flame.call(add, { a: 1, b: 2 }), 3)
            })
          )
        })
      )
    )
  )
})
