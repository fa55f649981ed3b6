import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { roundTrips } from "./roundTrips.ts"

describe("random values of random schemas", () => {
  it.live(
    "arrive equal through memory and through a process, or are refused by both in the same words [C184]",
    () =>
      Effect.gen(function* () {
        let total = 0
        for (let seed = 1; seed <= 5; seed++) {
          const report = yield* roundTrips({ seed, schemas: 200, values: 50 })
          assert.deepStrictEqual(report.failures, [])
          total += report.roundTrips
        }
        assert.isAtLeast(total, 100_000)
      }),
    300_000
  )
})
