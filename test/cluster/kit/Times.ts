/** Checks durations, and writes them as lines of a table into the file that DRILL_TIMES names. */
import { appendFileSync } from "node:fs"
import { assert } from "@effect/vitest"

/** Checks that something took at most `limit` milliseconds. */
export const within = (what: string, took: number, limit: number): void => {
  const file = process.env["DRILL_TIMES"]
  if (file !== undefined) appendFileSync(file, `| ${what} | ${Math.round(took)} ms | ${limit} ms |\n`)
  assert.isAtMost(took, limit, what)
}
