/** Stops the real API server for a minute: calls go on, and boots go on afterwards. Nothing else may run meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { begin } from "../../fixtures/conformance-process/harness.ts"
import { add, play } from "../apps/functions.ts"
import { stopped } from "../kit/ApiServer.ts"
import { get } from "../kit/Cluster.ts"
import { onHost } from "../kit/HostParent.ts"
import * as Namespaces from "../kit/Namespaces.ts"

const space = Namespaces.ofFile("outage")

describe("an API server that stops for a minute", () => {
  it.live("does not affect calls and delays boots, and no pod is duplicated afterwards", () =>
    onHost(space, { max: 2, concurrency: 2 }, (scene) =>
      Effect.gen(function* () {
        const { events, runners, stage } = scene
        const first = yield* begin(scene, "a")
        const goOn = yield* stopped
        // A full minute without the API server, during which the existing runner serves.
        const serving = yield* Effect.forkScoped(
          Effect.repeat(
            Effect.andThen(
              Effect.map(Flame.call(add, { a: 1, b: 2 }, { timeout: "15 seconds" }), (sum) =>
                assert.strictEqual(sum, 3)
              ),
              Effect.sleep("1 second")
            ),
            { times: 55 }
          ),
          { startImmediately: true }
        )
        yield* Fiber.join(serving)
        // Two more calls than there are slots: another runner is needed, and cannot boot.
        const waiting = yield* Effect.forEach(["b", "c"], (key) => Effect.forkScoped(Flame.call(play, { key })))
        yield* stage.said("b", "started")
        // The outage goes on. No runner may become ready, so there is no condition to wait for.
        yield* Effect.sleep("5 seconds")
        assert.strictEqual(events.of("RunnerReady").length, 1)
        yield* goOn
        const { host } = yield* stage.said("c", "started")
        assert.notStrictEqual(host, first.host)
        yield* runners((pods) => pods.length === 2, "there are two runners")
        const own = yield* get(space.name, "pods", first.host)
        assert.isUndefined(own.metadata.deletionTimestamp)
        for (const key of ["b", "c"]) yield* stage.tell(key, "return")
        for (const fiber of waiting) yield* Fiber.join(fiber)
        yield* first.end
        assert.strictEqual(events.of("RunnerGone").length, 0)
      })
    )
  )
})
