/** Calls `add` once a second and counts the right answers, to show that calls go on during an outage. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Flame from "../../../src/Flame.ts"
import { add } from "../apps/functions.ts"

/** Calls for as long as `during` runs, with a timeout of 15 s each. Returns the number of answers. */
export const callEverySecond = <E, R>(during: Effect.Effect<void, E, R>) =>
  Effect.gen(function* () {
    let answered = 0
    const serving = Effect.map(Flame.call(add, { a: 1, b: 2 }, { timeout: "15 seconds" }), (sum) => {
      assert.strictEqual(sum, 3)
      answered++
    })
    yield* Effect.raceFirst(during, Effect.forever(Effect.andThen(serving, Effect.sleep("1 second"))))
    return answered
  })
