import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { thorough } from "../fixtures/thorough.ts"
import { roundTrips } from "./roundTrips.ts"

describe("random values of random schemas", () => {
  it.live(
    "arrive equal through memory and through a process, or are refused by both with the same message [C184]",
    () =>
      Effect.gen(function* () {
        let total = 0
        for (let seed = 1; seed <= (thorough ? 5 : 1); seed++) {
          const report = yield* roundTrips({ seed, schemas: 200, values: thorough ? 50 : 25 })
          assert.deepStrictEqual(report.failures, [])
          total += report.roundTrips
        }
        assert.isAtLeast(total, thorough ? 100_000 : 10_000)
      }),
    300_000
  )
})
