/**
 * Tests the drain of a runner's node by kubectl: its calls may finish, and new calls run elsewhere. Nothing else may
 * run on that node.
 */
import { execFile } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { inject } from "vitest"
import * as Flame from "../../../src/Flame.ts"
import { begin, timed } from "../../fixtures/conformance-process/harness.ts"
import { place } from "../apps/functions.ts"
import { get, gone } from "../kit/Cluster.ts"
import { onHost } from "../kit/HostParent.ts"
import * as Namespaces from "../kit/Namespaces.ts"
import { cordon, preferring } from "../kit/Nodes.ts"
import { within } from "../kit/Times.ts"

const space = Namespaces.ofFile("drain")

/** Evicts the pods of a parent from a node, as an operator does before maintenance. */
const drain = (node: string, parent: string) =>
  Effect.callback<string>((resume) => {
    const { kubeconfig, kubectl } = inject("cluster").tools
    const child = execFile(
      kubectl,
      ["drain", node, `--pod-selector=flame.dev/parent=${parent}`, "--force", "--delete-emptydir-data"],
      { env: { ...process.env, KUBECONFIG: kubeconfig } },
      (error, stdout, stderr) => resume(error === null ? Effect.succeed(stdout) : Effect.die(new Error(stderr)))
    )
    return Effect.sync(() => void child.kill())
  })

describe("the drain of a runner's node", () => {
  it.live("lets its call finish, and the next calls run elsewhere", () =>
    onHost(space, { max: 2, concurrency: 2, affinity: preferring("node2"), drainTimeout: "20 seconds" }, (scene) =>
      Effect.gen(function* () {
        const { events, stage } = scene
        const held = yield* begin(scene, "a")
        const { metadata, spec } = yield* get(space.name, "pods", held.host)
        assert.strictEqual(spec.nodeName, "node2")
        yield* cordon("node2")
        const draining = yield* Effect.forkScoped(drain("node2", metadata.labels["flame.dev/parent"]), {
          startImmediately: true
        })
        const [leaving, took] = yield* timed(events.nth("RunnerLeaving"))
        assert.match(leaving.why, /evict/i)
        within("drain of its node: told", took, 5_000)
        // A slot of the runner is free, but the runner gets no more calls.
        const { env } = yield* Flame.call(place)
        assert.notStrictEqual(env["HOSTNAME"], held.host)
        const other = yield* get(space.name, "pods", env["HOSTNAME"]!)
        assert.strictEqual(other.spec.nodeName, "node1")
        assert.isUndefined(held.fiber.pollUnsafe())
        yield* stage.tell("a", "return")
        yield* Fiber.join(held.fiber)
        yield* gone(space.name, "pods", held.host)
        yield* Fiber.join(draining)
      })
    )
  )
})
