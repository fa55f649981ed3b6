/** The log line about a lost runner: which runner, how it ended, and which calls it had. */
import type { RunnerExit } from "../../error/RunnerExit.ts"

/** The number of functions that are named. Further ones are counted. */
const named = 10

/**
 * Says which runner of which pool was lost, how it ended, and how many calls of which functions it had.
 *
 * `early` is for a runner that counts as a failed boot: milliseconds from being ready to its end.
 */
export const lossReport = (
  runner: string,
  pool: string,
  { reason }: RunnerExit,
  calls: ReadonlyArray<{ readonly fn: { readonly name: string } }>,
  early?: number
): string => {
  const when = early === undefined ? "" : ` ${Math.round(early)} ms after it was ready, which counts as a failed boot,`
  return `runner ${runner} of pool ${pool} was lost${when} with ${callsOf(calls)}: ${reason.message}`
}

const callsOf = (calls: ReadonlyArray<{ readonly fn: { readonly name: string } }>): string => {
  if (calls.length === 0) return "no calls"
  const counts = new Map<string, number>()
  for (const { fn } of calls) counts.set(fn.name, (counts.get(fn.name) ?? 0) + 1)
  const functions = Array.from(counts, ([name, count]) => (count === 1 ? name : `${count} x ${name}`))
  const more = functions.length > named ? ` and ${functions.length - named} more functions` : ""
  return `${calls.length === 1 ? "1 call" : `${calls.length} calls`} (${functions.slice(0, named).join(", ")}${more})`
}
