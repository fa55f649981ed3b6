/**
 * Counts the work of matching a value: tries of matching a template, and comparisons of values with one hash. `SchemaCodec`
 * begins the count of each value.
 *
 * The number of a value's parts does not limit this work. The size limit itself is enforced elsewhere: by `spend` of
 * `ByteReader` and `ByteWriter`.
 *
 * Code that runs without waiting finds the count of its value in a variable of this module. A transformation that waits
 * lets other values in between, so the fiber that resumes it carries the count of its value as a service.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { defaultMaxValue, LimitError, plainUnit } from "./ValueLimits.ts"

/** The count of one value. A step takes about 100 ns, and counts as much as a part of a value. */
export interface ValueWork {
  /** Steps that are left. */
  left: number
  /** Whether this process sends the value. */
  readonly isOwn: boolean
}

/** Begins the count of a value that may cost `maxValue` bytes. */
export const beginWork = (maxValue: number, isOwn: boolean): ValueWork => ({ left: maxValue / plainUnit, isOwn })

const CarriedWork = Context.Reference<ValueWork | undefined>("effect-flame/schema/ValueWork", {
  defaultValue: () => undefined
})

let current: ValueWork | undefined
/** The fiber that ran when `current` was set. */
let caller: Fiber.Fiber<unknown, unknown> | undefined

/** Runs code that does not wait, and counts its work for a value. */
export const within = <A>(work: ValueWork, run: () => A): A => {
  const outer = current
  const outerCaller = caller
  current = work
  caller = Fiber.getCurrent()
  try {
    return run()
  } finally {
    current = outer
    caller = outerCaller
  }
}

/** Counts the work of an effect for a value, whenever the effect runs on after it has waited. */
export const carried = <A, E, R>(work: ValueWork, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Exit.isExit(effect) ? effect : Effect.provideService(effect, CarriedWork, work)

const workNow = (): ValueWork => {
  const fiber = Fiber.getCurrent()
  // Code within `within` may complete what the fiber of another value waits for. That fiber then runs on at once.
  if (current !== undefined && fiber === caller) return current
  // A schema's own middleware may run its parts outside of the fiber of the value. Each step is then bounded by itself.
  return fiber?.getRef(CarriedWork) ?? current ?? beginWork(defaultMaxValue, false)
}

/** Whether the value is one that this process sends. */
export const isEncoding = (): boolean => workNow().isOwn

/** Counts that many steps. Throws a `LimitError` with the problem if none are left. */
export const spendWork = (steps: number, problem: string): void => {
  const work = workNow()
  work.left -= steps
  if (work.left < 0) throw new LimitError(problem)
}
