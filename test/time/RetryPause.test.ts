import { assert, describe, it } from "@effect/vitest"
import { pauseAfter } from "../../src/time/RetryPause.ts"

describe("the pause before another try", () => {
  const pauses = { first: 200, longest: 5_000 }

  it("doubles with each failure up to its maximum, less a random part of up to a half", () => {
    const failures = [1, 2, 3, 4, 5, 6, 7, 2_000]
    assert.deepStrictEqual(
      failures.map((count) => pauseAfter(count, pauses, 1)),
      [200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]
    )
    assert.deepStrictEqual(
      failures.map((count) => pauseAfter(count, pauses, 0)),
      [100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500]
    )
  })
})
