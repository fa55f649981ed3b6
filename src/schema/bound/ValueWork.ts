/**
 * Counts the work of a value that the number of its parts does not tell: tries of matching a template, and comparisons of
 * values with one hash. `SchemaCodec` begins the count of each value.
 */
import { LimitError, plainUnit } from "./ValueLimits.ts"

let left = Infinity
let isOwn = false

/** Begins a value that may cost `maxValue` bytes. One step of work takes about 100 ns, and counts as a part of a value does. */
export const beginWork = (maxValue: number, isSent: boolean): void => {
  left = maxValue / plainUnit
  isOwn = isSent
}

/** Whether the value is one that this process sends. */
export const isEncoding = (): boolean => isOwn

/** Counts that many steps. Throws a `LimitError` with the problem if none are left. */
export const spendWork = (steps: number, problem: string): void => {
  left -= steps
  if (left < 0) throw new LimitError(problem)
}
