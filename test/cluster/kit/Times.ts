/** How long what is to be told within a time did take: all of it as lines of a table, in the file that DRILL_TIMES names. */
import { appendFileSync } from "node:fs"
import { assert } from "@effect/vitest"

/** Checks that something took at most so long, in milliseconds. */
export const within = (what: string, took: number, limit: number): void => {
  const file = process.env["DRILL_TIMES"]
  if (file !== undefined) appendFileSync(file, `| ${what} | ${Math.round(took)} ms | ${limit} ms |\n`)
  assert.isAtMost(took, limit, what)
}
