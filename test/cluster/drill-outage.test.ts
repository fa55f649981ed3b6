/**
 * Tests a minute without the API server, by a proxy that refuses, does not answer, or ends every watch: calls and boots
 * go on. C167.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../src/Flame.ts"
import { begin, timed } from "../fixtures/conformance-process/harness.ts"
import { until } from "../fixtures/conformance-process/patience.ts"
import { add, play } from "./apps/functions.ts"
import type { ApiProxy } from "./kit/ApiProxy.ts"
import { type KubeObject, until as objects } from "./kit/Api.ts"
import { collection, list, pods, remove } from "./kit/Cluster.ts"
import { callEverySecond } from "./kit/EverySecond.ts"
import { inPool, runnerLabel } from "./kit/HostParent.ts"
import { processes } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { isCreate, throughProxy } from "./kit/ProxiedParent.ts"
import { within } from "./kit/Times.ts"

const space = Namespaces.ofFile("drill-outage")

const call = Flame.call(add, { a: 1, b: 2 })

const minute = 60_000

const outages: ReadonlyArray<readonly [string, (proxy: ApiProxy) => Effect.Effect<() => void>]> = [
  [
    "refuses connections",
    ({ line }) =>
      Effect.promise(async () => {
        await line.meet("refuse")
        line.reset()
        return () => void line.meet("pass")
      })
  ],
  [
    "is silent, on connections that are there too",
    ({ line }) =>
      Effect.sync(() => {
        line.freeze()
        return () => line.thaw()
      })
  ]
]

/** The names of all runner pods that ever exist during the test. */
const followed = Effect.gen(function* () {
  const names = new Set<string>()
  const note = (pods: ReadonlyArray<KubeObject>) => {
    for (const { metadata } of pods) names.add(metadata.name)
    return undefined
  }
  const following = objects(collection(space.name, "pods"), { labels: runnerLabel }, note, "the end", 600_000)
  yield* Effect.forkScoped(following, { startImmediately: true })
  return names
})

describe("an API server", () => {
  for (const [what, begins] of outages) {
    it.live(
      `that ${what} for a minute: calls go on, boots resume, and none is doubled`,
      () =>
        throughProxy(space, { max: 1, concurrency: 2 }, (calls) =>
          Effect.gen(function* () {
            const { proxy } = calls
            const held = yield* begin(calls, "held")
            const boots = inPool(space, { kubeconfig: proxy.kubeconfig, max: 3 }, ({ events, stage }) =>
              Effect.gen(function* () {
                const names = yield* followed
                const start = (key: string) => Effect.forkScoped(Flame.call(play, { key }), { startImmediately: true })
                const fibers = [yield* start("before")]
                yield* stage.said("before", "started")
                // One boot whose create is sent as the outage begins, and one boot that starts during the outage.
                fibers.push(yield* start("at"))
                yield* events.nth("BootStarted", 2)
                const mend = yield* begins(proxy)
                yield* Effect.sleep(minute / 2)
                fibers.push(yield* start("in"))
                yield* events.nth("BootStarted", 3)
                yield* Effect.sleep(minute / 2)
                mend()
                const [, took] = yield* timed(stage.said("in", "started"))
                within(`API server ${what} for 60 s: a boot begun then is ready after its end`, took, 30_000)
                yield* stage.said("at", "started")
                assert.strictEqual(events.of("BootStarted").length, 3)
                assert.strictEqual(events.of("BootFailed").length, 0)
                for (const key of ["before", "at", "in"]) yield* stage.tell(key, "return")
                for (const fiber of fibers) yield* Fiber.join(fiber)
                assert.strictEqual(events.of("RunnerGone").length, 0)
                // The pods of the other pool are among them.
                assert.isAtMost(names.size, 4)
              })
            )
            const done = yield* callEverySecond(boots)
            assert.isAtLeast(done, 20)
            assert.isAtLeast(proxy.requests.filter(isCreate).length, 4)
            yield* held.end
            assert.strictEqual(calls.events.of("RunnerGone").length, 0)
            // A connection that is silent for less than the 75 s of a watch does not count as an outage.
            if (what === "refuses connections") {
              yield* calls.events.nth("OutageEnded")
              assert.strictEqual(calls.events.of("OutageBegan").length, 1)
              const said = (text: RegExp) => calls.log.lines.filter((line) => text.test(line.text)).length
              // The event is told in the turn in which the line is written, so its reader may be earlier than the line.
              yield* calls.log.has(/answers again after/)
              assert.strictEqual(said(/has not answered for \d+ s/), 1)
              assert.strictEqual(said(/answers again after \d+ s/), 1)
            }
          })
        ),
      { timeout: 240_000 }
    )
  }

  for (const [what, begins] of outages) {
    it.live(`that ${what} as the pool closes, with a call that uses up the drain: the rest ends within 8 s`, () =>
      throughProxy(space, { drainTimeout: "2 seconds" }, (scene) =>
        Effect.gen(function* () {
          const { fiber } = yield* begin(scene, "a")
          // Removes pods that the parent could not delete and that no owner removes, whatever the result of the test.
          yield* Effect.acquireRelease(begins(scene.proxy), (mend) =>
            Effect.gen(function* () {
              mend()
              yield* scene.close
              for (const resource of ["pods", "secrets"]) {
                for (const { metadata } of yield* list(space.name, resource)) {
                  yield* remove(space.name, resource, metadata.name)
                }
              }
            })
          )
          const [, took] = yield* timed(scene.close)
          within(`API server ${what}: the end after the drain`, took - 2_000, 8_000)
          assert.isDefined(fiber.pollUnsafe())
          yield* until(() => processes(space.name).length === 0, "no process is left")
        })
      )
    )
  }

  it.live(
    "that ends the watch every second for a minute: boots go on, each runner's end is reported, and no pod is duplicated",
    () =>
      throughProxy(space, { max: 2, maxCalls: 1 }, (scene) =>
        Effect.gen(function* () {
          const { events, proxy } = scene
          const names = yield* followed
          const stop = proxy.cutWatchesEvery(1_000, "reset")
          const end = performance.now() + minute
          let done = 0
          const caller = Effect.gen(function* () {
            while (performance.now() < end) {
              assert.strictEqual(yield* call, 3)
              done++
            }
          })
          yield* Effect.all([caller, caller], { concurrency: 2 })
          assert.isAtLeast(done, 10)
          yield* events.nth("RunnerGone", done)
          stop()
          assert.strictEqual(events.of("BootFailed").length, 0)
          assert.isAtMost(names.size, events.of("BootStarted").length)
          // Every end is reported with its true cause.
          const reasons = events.of("RunnerGone").map(({ exit }) => exit.reason._tag)
          assert.notInclude(reasons, "Disconnected")
          yield* pods(space.name, runnerLabel, (pods) => pods.length === 0, "no runner is left")
        })
      ),
    { timeout: 240_000 }
  )
})
