/** The parts that both halves of the suite use: a test, a unique name, a wait. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Backend } from "../backend/Backend.ts"

/** A test on a backend. */
export type Test = Effect.Effect<void, unknown, Backend | Scope.Scope>

/** Registers a test. */
export type Register = (title: string, test: Test) => void

/** Fails if anything is left of the runner with these labels. */
export type IsGone = (labels: Readonly<Record<string, string>>) => Effect.Effect<void>

/** The id of this run of the suite. */
export const life: string = crypto.randomUUID().slice(0, 8)
let names = 0

/** A name that is unique in this run. */
export const nextName = (): string => `conformance-${life}-${names++}`

/** Waits for a condition that another process makes true. */
export const eventually = <E, R>(look: Effect.Effect<boolean, E, R>, what: string): Effect.Effect<void, E, R> =>
  Effect.asVoid(Effect.repeat(look, { until: (found) => found, schedule: Schedule.spaced("5 millis") })).pipe(
    Effect.timeoutOrElse({ duration: "15 seconds", orElse: () => Effect.die(new Error(`it never came that ${what}`)) })
  )
