/**
 * Tests an API server that fails, answers late or does not answer (C91), by a proxy between the API server and the
 * parent. Also counts the requests of a parent.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../src/Flame.ts"
import { begin } from "../fixtures/conformance-process/harness.ts"
import { until } from "../fixtures/conformance-process/patience.ts"
import { add, play } from "./apps/functions.ts"
import type * as ApiProxy from "./kit/ApiProxy.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { created, isCreate, throughProxy } from "./kit/ProxiedParent.ts"

const space = Namespaces.ofFile("api")

const call = Flame.call(add, { a: 1, b: 2 })

const outages: ReadonlyArray<readonly [string, ApiProxy.Fault]> = [
  ["answers 429", { kind: "answer", status: 429, retryAfter: 1 }],
  ["answers 500", { kind: "answer", status: 500 }],
  ["resets connections", { kind: "reset" }],
  ["is silent", { kind: "hang" }]
]

describe("an API server", () => {
  for (const [what, fault] of outages) {
    it.live(`[C91] that ${what} for 10 s: a boot started then succeeds afterwards, and no pod is duplicated`, () =>
      throughProxy(space, { max: 3 }, (scene) =>
        Effect.gen(function* () {
          const { events, proxy, runners, stage } = scene
          const first = yield* begin(scene, "a")
          const mend = proxy.inject(fault)
          const second = yield* Effect.forkScoped(Flame.call(play, { key: "b" }), { startImmediately: true })
          const third = yield* Effect.forkScoped(Flame.call(play, { key: "c" }), { startImmediately: true })
          // The outage itself.
          yield* Effect.sleep("10 seconds")
          assert.isAtLeast(created(proxy), 1)
          assert.isUndefined(second.pollUnsafe())
          mend()
          for (const key of ["b", "c"]) yield* stage.said(key, "started")
          const pods = yield* runners((pods) => pods.length >= 3 && pods, "there are three runners")
          assert.strictEqual(pods.length, 3)
          assert.strictEqual(events.of("RunnerReady").length, 3)
          for (const key of ["b", "c"]) yield* stage.tell(key, "return")
          yield* Fiber.join(second)
          yield* Fiber.join(third)
          yield* first.end
        })
      )
    )
  }

  it.live("[C91] that is unreachable when the app starts delays the first calls until it is reachable", () =>
    throughProxy(space, { max: 1, min: 1 }, ({ proxy }) =>
      Effect.gen(function* () {
        const mend = proxy.inject({ kind: "reset" })
        const waiting = yield* Effect.forkScoped(call)
        const asked = proxy.requests.length
        yield* until(() => proxy.requests.length > asked + 2, "it is asked again")
        mend()
        assert.strictEqual(yield* Fiber.join(waiting), 3)
      })
    )
  )

  it.live("[C91] that loses its answer to a create has one pod for it", () =>
    throughProxy(space, {}, ({ events, proxy, runners }) =>
      Effect.gen(function* () {
        proxy.inject({ kind: "lose answer" }, isCreate, 1)
        assert.strictEqual(yield* call, 3)
        yield* runners((pods) => pods.length === 1, "there is one pod")
        assert.strictEqual(events.of("BootStarted").length, 1)
      })
    )
  )

  it.live("gets one create and one delete for each runner, one watch, and one Secret for all", () =>
    throughProxy(space, { max: 3 }, (scene) =>
      Effect.gen(function* () {
        const calls = yield* Effect.forEach(["a", "b", "c"], (key) => begin(scene, key), { concurrency: 3 })
        yield* Effect.forEach(calls, ({ end }) => end)
        yield* scene.close
        const { counts } = scene.proxy
        assert.strictEqual(created(scene.proxy), 3)
        assert.deepInclude(counts, { "create secrets": 1 })
        assert.isAtMost(counts["delete pods"] ?? 0, 3)
        assert.isAtMost(counts["watch pods"] ?? 0, 1)
        const known = new Set(
          Object.values(Namespaces.roles.full).flatMap(({ resources, verbs }) =>
            resources.flatMap((resource: string) => verbs.map((verb: string) => `${verb} ${resource}`))
          )
        )
        const others = Object.keys(counts).filter((asked) => !known.has(asked) && !/review/.test(asked))
        assert.deepStrictEqual(others, [])
      })
    )
  )

  it.live("that ends the watch every second is watched again, and no event is missed", () =>
    throughProxy(space, { max: 2, maxCalls: 1 }, ({ events, proxy }) =>
      Effect.gen(function* () {
        const stop = proxy.cutWatchesEvery(1_000, "reset")
        const results = yield* Effect.forEach(Array.from({ length: 8 }), () => call, { concurrency: 2 })
        assert.deepStrictEqual(new Set(results), new Set([3]))
        yield* events.nth("RunnerGone", 8)
        stop()
      })
    )
  )
})
