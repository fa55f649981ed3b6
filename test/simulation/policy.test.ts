import { assert, describe, it } from "@effect/vitest"
import { thorough } from "../fixtures/thorough.ts"
import * as PoolSchedule from "./PoolSchedule.ts"

/** `npm run sim` runs millions. */
const total = thorough ? 250_000 : 50_000
// Split into parts, because the whole takes longer than the limit of one test on a tenth of a processor.
const parts = 10

describe("Policy: random schedules", () => {
  let seed = 1
  let steps = 0
  for (let part = 1; part <= parts; part++) {
    const until = (total / parts) * part
    it(`keeps max, concurrency, turns and promises over ${until} steps [C55]`, () => {
      for (; steps < until; seed++) {
        const result = PoolSchedule.run(seed, 400)
        if (result.finding !== undefined) assert.fail(PoolSchedule.render(result.finding))
        steps += result.steps
      }
      assert.isAtLeast(steps, until)
    })
  }
})
