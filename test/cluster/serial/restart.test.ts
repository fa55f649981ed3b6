/** Kills and restarts the real API server amid calls and boots. Nothing else may run meanwhile. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../../src/Flame.ts"
import { begin } from "../../fixtures/conformance-process/harness.ts"
import { add, play } from "../apps/functions.ts"
import { killed } from "../kit/ApiServer.ts"
import { pods } from "../kit/Cluster.ts"
import { inPool, onHost, runnerLabel } from "../kit/HostParent.ts"
import * as Namespaces from "../kit/Namespaces.ts"
import { Pool } from "../../../src/pool/Pool.ts"

const space = Namespaces.ofFile("restart")

describe("an API server that is killed and started again", () => {
  it.live("does not affect calls; boots before and during it go on, and no pod is duplicated or left", () =>
    onHost(space, { max: 1, concurrency: 2 }, (calls) =>
      Effect.gen(function* () {
        const held = yield* begin(calls, "held")
        const serve = Effect.map(Flame.call(add, { a: 1, b: 2 }, { timeout: "15 seconds" }), (sum) =>
          assert.strictEqual(sum, 3)
        )
        yield* inPool(space, { max: 3 }, ({ events, stage }) =>
          Effect.gen(function* () {
            const start = (key: string) => Effect.forkScoped(Flame.call(play, { key }), { startImmediately: true })
            const fibers = [yield* start("before")]
            const before = yield* stage.said("before", "started")
            // One boot whose create is sent as the server dies, and one boot that starts while the server is down.
            fibers.push(yield* start("at"))
            yield* events.nth("BootStarted", 2)
            const startAgain = yield* killed
            fibers.push(yield* start("in"))
            yield* events.nth("BootStarted", 3)
            for (let second = 0; second < 5; second++) {
              yield* Effect.provideService(serve, Pool, calls.pool)
              yield* Effect.sleep("1 second")
            }
            assert.isFalse(stage.lines.some(({ key }) => key === "in"))
            yield* startAgain
            const at = yield* stage.said("at", "started")
            const late = yield* stage.said("in", "started")
            assert.strictEqual(new Set([before.host, at.host, late.host]).size, 3)
            const failed = [...events.of("BootFailed"), ...events.of("BootGivenUp"), ...events.of("RunnerGone")]
            assert.strictEqual(events.of("BootStarted").length, 3, JSON.stringify(failed))
            assert.strictEqual(events.of("BootFailed").length, 0)
            yield* pods(space.name, runnerLabel, (pods) => pods.length === 4, "there are four runners, no more")
            for (const key of ["before", "at", "in"]) yield* stage.tell(key, "return")
            for (const fiber of fibers) yield* Fiber.join(fiber)
            assert.strictEqual(events.of("RunnerGone").length, 0)
          })
        )
        yield* held.end
        assert.strictEqual(calls.events.of("RunnerGone").length, 0)
      })
    )
  )
})
