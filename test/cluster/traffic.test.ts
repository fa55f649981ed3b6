/** Counts the requests to the API server while nothing happens. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { begin } from "../fixtures/conformance-process/harness.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { throughProxy } from "./kit/ProxiedParent.ts"

const space = Namespaces.ofFile("traffic")

it.live("a parent with busy and idle runners sends one list in a minute, and no other request", () =>
  throughProxy(space, { min: 2, max: 2 }, (scene) =>
    Effect.gen(function* () {
      yield* scene.events.nth("RunnerReady", 2)
      const { end } = yield* begin(scene, "a")
      const before = scene.proxy.requests.length
      // Nothing can announce that nothing happens.
      yield* Effect.sleep("60 seconds")
      const asked = scene.proxy.requests.slice(before).map(({ resource, verb }) => `${verb} ${resource}`)
      // The second look for leftovers of a former life, 30 s after the start.
      assert.isAtMost(asked.length, 1, asked.join(", "))
      assert.deepStrictEqual(new Set([...asked, "list pods"]), new Set(["list pods"]))
      assert.strictEqual(scene.proxy.openWatches, 1)
      yield* end
    })
  )
)
