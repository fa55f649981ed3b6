/**
 * Tests nodes that fall silent (C161): without their kubelet, and without their runner's network too. No other pods may
 * need these nodes.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { RunnerLost } from "../../../src/error/FlameError.ts"
import { begin, reasonOf, timed } from "../../fixtures/conformance-process/harness.ts"
import { until } from "../../fixtures/conformance-process/patience.ts"
import { place } from "../apps/functions.ts"
import { get, pod } from "../kit/Cluster.ts"
import { onHost } from "../kit/HostParent.ts"
import { processes } from "../kit/Leaks.ts"
import * as Namespaces from "../kit/Namespaces.ts"
import { cutOff } from "../kit/Network.ts"
import { preferring, reserve, stopKubelet } from "../kit/Nodes.ts"
import { within } from "../kit/Times.ts"

const space = Namespaces.ofFile("nodes")

/** The longest time that the cluster may take to mark a node as lost, in milliseconds. */
const unknown = 60_000

const node = "node2"

/** Evicts pods 5 s after their node is lost, instead of 5 minutes. */
const briefly = ["unreachable", "not-ready"].map((condition) => ({
  key: `node.kubernetes.io/${condition}`,
  operator: "Exists" as const,
  effect: "NoExecute" as const,
  tolerationSeconds: 5
}))

describe("a node", () => {
  it.live(
    "[C161] whose kubelet stops: calls in flight run on through the eviction, no new ones come, its runner is replaced",
    () =>
      onHost(space, { max: 2, concurrency: 2, affinity: preferring(node), tolerations: briefly }, (scene) =>
        Effect.gen(function* () {
          const { events, runners, stage } = scene
          const held = yield* begin(scene, "a")
          assert.strictEqual((yield* get(space.name, "pods", held.host)).spec.nodeName, node)
          yield* reserve(node, space.name)
          yield* stopKubelet(2)
          // Until the node is marked as lost, its runner still gets calls.
          assert.strictEqual((yield* Flame.call(place)).env["HOSTNAME"], held.host)
          const waiting = events.until(() => events.of("RunnerLeaving")[0], "the node is Unknown", 2 * unknown)
          const [leaving, took] = yield* timed(waiting)
          assert.match(leaving.why, /node2 does not answer/)
          within("kubelet stopped: its runner gets no new calls", took, unknown)
          const { env } = yield* Flame.call(place)
          assert.notStrictEqual(env["HOSTNAME"], held.host)
          const other = yield* runners(
            (pods) => pods.find(({ metadata }) => metadata.name === env["HOSTNAME"]),
            "there is another runner"
          )
          assert.notStrictEqual(other.spec.nodeName, node)
          yield* pod(space.name, held.host, ({ metadata }) => metadata.deletionTimestamp !== undefined, "the eviction")
          // More than drainTimeout, cancelGrace and the grace of the pod.
          yield* Effect.sleep("20 seconds")
          assert.isUndefined(held.fiber.pollUnsafe())
          yield* stage.tell("a", "return")
          yield* Fiber.join(held.fiber)
          const gone = yield* events.nth("RunnerGone")
          assert.isDefined(gone.why)
          // The kubelet is stopped, so the pod cannot end.
          yield* until(
            () => !processes(space.name).some((line) => line.startsWith(`${held.pid} `)),
            "it ended by itself"
          )
        })
      )
  )

  it.live(
    "that is lost: its callers get RunnerLost in time, the reason is reported later, and the process ends by itself",
    () =>
      onHost(space, { max: 2, affinity: preferring(node) }, (scene) =>
        Effect.gen(function* () {
          const { events } = scene
          const held = yield* begin(scene, "a")
          assert.strictEqual((yield* get(space.name, "pods", held.host)).spec.nodeName, node)
          const before = processes(space.name)
          yield* reserve(node, space.name)
          yield* cutOff(space.name, held.host)
          yield* stopKubelet(2)
          const [reason, took] = yield* timed(reasonOf(Fiber.join(held.fiber)))
          assert.instanceOf(reason, RunnerLost)
          assert.deepInclude(reason, { gone: false, mayHaveRun: true })
          assert.strictEqual(reason.exit._tag, "Disconnected")
          within("node lost: RunnerLost(Disconnected)", took, 15_000 + 3_000)
          const [ended, ending] = yield* timed(
            until(() => processes(space.name).every((line) => !before.includes(line)), "it ended by itself")
          )
          assert.isTrue(ended)
          within("node lost: the process is gone", took + ending, 15_000 + 3_000 + 5_000)
          const late = events.until(() => events.of("LateReason")[0], "the node is Unknown", 2 * unknown)
          const [{ exit }, waited] = yield* timed(late)
          assert.deepInclude(exit.reason, { _tag: "NodeLost", node })
          within("node lost: NodeLost in events", took + ending + waited, unknown)
        })
      )
  )
})
