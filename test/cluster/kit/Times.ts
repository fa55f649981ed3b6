/** Checks durations, and writes them as lines of a table into the file that DRILL_TIMES names. */
import { appendFileSync } from "node:fs"
import { assert } from "@effect/vitest"

/**
 * Checks that something took about `limit` milliseconds at most. The cluster and its tests share the processors of one
 * machine, so twice the limit and a second more still pass. What waits where it must not takes longer than that.
 */
export const within = (what: string, took: number, limit: number): void => {
  const file = process.env["DRILL_TIMES"]
  if (file !== undefined) appendFileSync(file, `| ${what} | ${Math.round(took)} ms | ${limit} ms |\n`)
  assert.isAtMost(took, 2 * limit + 1_000, what)
}
