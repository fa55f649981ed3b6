/**
 * Tests ten minutes without the API server, longer than a boot may wait for a node: calls go on, and boots go on
 * afterwards.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../src/Flame.ts"
import { begin, timed } from "../fixtures/conformance-process/harness.ts"
import { play } from "./apps/functions.ts"
import { pods } from "./kit/Cluster.ts"
import { callEverySecond } from "./kit/EverySecond.ts"
import { inPool, runnerLabel } from "./kit/HostParent.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { throughProxy } from "./kit/ProxiedParent.ts"
import { within } from "./kit/Times.ts"

const space = Namespaces.ofFile("long-outage")

const minutes = 10

describe("an API server that is unreachable for ten minutes", () => {
  it.live("does not affect calls; waiting callers get a runner soon afterwards, and no pod is duplicated or left", () =>
    throughProxy(space, { max: 1, concurrency: 2 }, (calls) =>
      Effect.gen(function* () {
        const { proxy } = calls
        const held = yield* begin(calls, "held")
        const boots = inPool(space, { kubeconfig: proxy.kubeconfig, max: 2 }, ({ events, stage }) =>
          Effect.gen(function* () {
            const start = (key: string) => Effect.forkScoped(Flame.call(play, { key }), { startImmediately: true })
            const before = yield* start("before")
            yield* stage.said("before", "started")
            const mend = proxy.inject({ kind: "reset" })
            proxy.cutWatches("reset")
            const asked = proxy.requests.length
            const waiting = yield* start("in")
            yield* Effect.sleep(`${minutes} minutes`)
            // Five tasks retry, each seldom more often than every 2.5 s: two parents that watch and list, and one boot
            // of a pod.
            const requests = proxy.requests.length - asked
            yield* Effect.log(`${requests} requests in ${minutes} minutes without an API server`)
            assert.isBelow(requests, minutes * 150)
            mend()
            const [, took] = yield* timed(stage.said("in", "started"))
            within("API server away for 10 min: who waits for a runner has it after its end", took, 45_000)
            // A boot that has waited longer than it may is followed by another boot.
            const causes = events.of("BootFailed").map(({ cause }) => cause._tag)
            assert.isAtMost(causes.length, 1)
            for (const cause of causes) assert.strictEqual(cause, "ApiUnavailable")
            yield* pods(space.name, runnerLabel, (pods) => pods.length === 3, "there are three runners, no more")
            for (const key of ["before", "in"]) yield* stage.tell(key, "return")
            yield* Fiber.join(before)
            yield* Fiber.join(waiting)
            assert.strictEqual(events.of("RunnerGone").length, 0)
          })
        )
        const done = yield* callEverySecond(boots)
        assert.isAtLeast(done, minutes * 50)
        yield* held.end
        assert.strictEqual(calls.events.of("RunnerGone").length, 0)
      })
    )
  )
})
