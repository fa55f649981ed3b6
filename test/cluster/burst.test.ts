/** Tests many calls at once on a pool without runners, and counts the requests to the API server. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import { timed } from "../fixtures/conformance-process/harness.ts"
import { echo } from "./apps/functions.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { created, throughProxy } from "./kit/ProxiedParent.ts"
import { within } from "./kit/Times.ts"

const space = Namespaces.ofFile("burst")

describe("a burst of 500 calls on a cold pool", () => {
  it.live(
    "runs on at most max runners with one pod for each boot, answers each call, and leaves nothing after idleTimeToLive",
    () =>
      throughProxy(space, { max: 20, idleTimeToLive: "2 seconds" }, ({ events, pool, proxy, runners }) =>
        Effect.gen(function* () {
          const texts = Array.from({ length: 500 }, (_, index) => `call ${index}`)
          const calls = Effect.forEach(texts, (text) => Flame.call(echo, { text }), { concurrency: "unbounded" })
          const [answers, took] = yield* timed(calls)
          assert.deepStrictEqual(answers, texts)
          within("500 calls on a cold pool, max 20", took, 60_000)
          const boots = events.of("BootStarted").length
          assert.isAtMost(boots, 20)
          yield* runners((pods) => pods.length === 0, "no runner is left")
          // Ready runners end when they are idle. Runners that still booted when the last call ended were given up.
          yield* events.until(
            () => (events.of("RunnerGone").length + events.of("BootGivenUp").length === boots ? true : undefined),
            "all are gone"
          )
          assert.strictEqual(events.of("BootFailed").length, 0)
          assert.strictEqual(events.of("BootStarted").length, boots)
          const { runners: left, totals } = yield* pool.status
          assert.deepStrictEqual([left.length, totals.succeeded, totals.runnersLost], [0, 500, 0])
          const { counts } = proxy
          assert.isAtMost(created(proxy), boots)
          assert.isAtMost(counts["delete pods"] ?? 0, boots)
          assert.deepInclude(counts, { "watch pods": 1, "create secrets": 1 })
          assert.notProperty(counts, "get pods")
        })
      )
  )

  it.live("of few calls boots no more runners than there are calls", () =>
    throughProxy(space, { max: 20 }, ({ events, proxy }) =>
      Effect.gen(function* () {
        const texts = ["a", "b", "c"]
        yield* Effect.forEach(texts, (text) => Flame.call(echo, { text }), { concurrency: 3 })
        assert.isAtMost(events.of("BootStarted").length, 3)
        assert.isAtMost(created(proxy), 3)
      })
    )
  )
})
