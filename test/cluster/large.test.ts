/** Tests large values to and from pods, for both ways of connecting, beside small calls. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Flame from "../../src/Flame.ts"
import { add, bytes, pattern, weigh } from "../fixtures/conformance-process/functions.ts"
import { onHost } from "./kit/HostParent.ts"
import * as Namespaces from "./kit/Namespaces.ts"

const space = Namespaces.ofFile("large")

const roomy = { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "512Mi" } }

describe("a call on a pod", () => {
  for (const [way, options] of [
    ["dials its parent", {}],
    ["is reached through the API server", { rights: "forward" }]
  ] as const) {
    it.live(`carries 64 MiB both ways at once while small calls go on, when it ${way}`, () =>
      onHost(space, { concurrency: 4, resources: roomy, ...options }, ({ pool }) =>
        Effect.gen(function* () {
          const size = 64 * 1024 * 1024
          const data = pattern(size)
          yield* Flame.call(add, { a: 0, b: 0 })
          assert.match((yield* pool.status).runners[0]?.labels["via"] ?? "", /^(dial-back to 10\.|port-forward$)/)
          const large = yield* Effect.forkChild(
            Effect.all([Flame.call(weigh, { data }), Flame.call(bytes, { size })], { concurrency: 2 }),
            { startImmediately: true }
          )
          let small = 0
          while (large.pollUnsafe() === undefined) {
            assert.strictEqual(yield* Flame.call(add, { a: small, b: 1 }), small + 1)
            small++
          }
          const [weight, result] = yield* Fiber.join(large)
          assert.deepStrictEqual(weight, { size, intact: true })
          assert.strictEqual(Buffer.compare(result, data), 0)
          assert.isAbove(small, 5)
        })
      )
    )
  }
})
