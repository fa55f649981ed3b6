/** Counts the requests to the API server over many boots, and over a long time without any. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import { add } from "./apps/functions.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { created, throughProxy } from "./kit/ProxiedParent.ts"

const space = Namespaces.ofFile("traffic-long")

it.live("260 boots take 260 creates, at most as many deletes, two Secrets and the one watch", () =>
  throughProxy(space, { max: 4, maxCalls: 1 }, (scene) =>
    Effect.gen(function* () {
      const calls = Array.from({ length: 260 }, () => Flame.call(add, { a: 1, b: 2 }))
      const began = performance.now()
      const sums = yield* Effect.all(calls, { concurrency: 4 })
      const minutes = (performance.now() - began) / 60_000
      assert.deepStrictEqual(new Set(sums), new Set([3]))
      yield* scene.close
      const boots = scene.events.of("BootStarted").length
      assert.isAtLeast(boots, 257)
      const { counts } = scene.proxy
      assert.strictEqual(created(scene.proxy), boots)
      assert.isAtMost(counts["delete pods"] ?? 0, boots)
      assert.deepInclude(counts, { "create secrets": 2 })
      // The server ends each watch after 4 to 5 minutes.
      assert.isAtMost(counts["watch pods"] ?? 0, 1 + Math.ceil(minutes / 4))
      assert.isAtMost(counts["list pods"] ?? 0, 2 + Math.ceil(minutes / 4))
    })
  )
)

it.live("a parent that idles for 11 minutes sends only the list and the watch, each every 4 to 6 minutes", () =>
  throughProxy(space, { min: 1 }, ({ events, proxy }) =>
    Effect.gen(function* () {
      yield* events.nth("RunnerReady")
      const before = proxy.requests.length
      yield* Effect.sleep("11 minutes")
      const asked = proxy.requests.slice(before).map(({ resource, verb }) => `${verb} ${resource}`)
      const of = (what: string) => asked.filter((each) => each === what).length
      // One more list 30 s after the start.
      assert.isAtMost(of("list pods"), 4)
      assert.isAtMost(of("watch pods"), 3)
      assert.strictEqual(asked.length, of("list pods") + of("watch pods"), asked.join(", "))
    })
  )
)
