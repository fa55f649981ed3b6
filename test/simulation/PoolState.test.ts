import { assert, describe, it } from "@effect/vitest"
import * as PoolSchedule from "./PoolSchedule.ts"

describe("PoolState, random schedules", () => {
  it("keeps max, concurrency, turns and promises over 250 000 steps [C55]", () => {
    let steps = 0
    for (let seed = 1; steps < 250_000; seed++) {
      const result = PoolSchedule.run(seed, 400)
      if (result.finding !== undefined) assert.fail(PoolSchedule.render(result.finding))
      steps += result.steps
    }
    assert.isAtLeast(steps, 250_000)
  })
})
