import { assert, describe, it } from "@effect/vitest"
import { play } from "./Play.ts"
import { make } from "./Schedule.ts"

/** Schedules of one run; more of them by `npm run sim:stack`. */
const schedules = 60

describe("a parent and its runners in memory, on virtual time", () => {
  it("[C240] break no rule under random calls, faults, resizes and closes", { timeout: 300_000 }, async () => {
    for (let seed = 1; seed <= schedules; seed++) {
      const { broken } = await play(make(seed, 40))
      assert.isUndefined(broken, `seed ${seed}: npm run sim:stack -- --seed ${seed} --schedules 1`)
    }
  })

  it("[C240] take the same course for the same seed", async () => {
    const one = await play(make(3, 40))
    const other = await play(make(3, 40))
    assert.deepStrictEqual(one, other)
  })
})
