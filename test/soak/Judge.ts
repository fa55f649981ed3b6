/** Judges the end of a call, which must fit the call and the faults done to its runner. */
import { Cause, Exit } from "effect"
import { Flame, FlameError } from "../../src/index.ts"
import type { Fates } from "./Fates.ts"
import type { Ledger } from "./Ledger.ts"

/** The ends of a call that are expected without faults. */
export interface Expected<A> {
  readonly what: string
  /** The timeout of the call in milliseconds. */
  readonly timeout: number
  /** Whether the value belongs to this call. Without this function the call must not succeed. */
  readonly value?: (value: A) => boolean
  /** Whether the typed error or the defect belongs to this call. */
  readonly error?: (error: unknown) => boolean
  readonly defect?: (defect: Flame.RemoteDefect) => boolean
  /** Reasons of FlameError that this call provokes. */
  readonly reasons?: ReadonlyArray<FlameError.Reason["_tag"]>
  readonly idempotent?: boolean
}

export class Judge {
  private readonly ledger: Ledger
  private readonly fates: Fates

  constructor(ledger: Ledger, fates: Fates) {
    this.ledger = ledger
    this.fates = fates
  }

  /** Counts an end that fits, and reports any other. Returns the reason of a FlameError. */
  look<A>(expected: Expected<A>, exit: Exit.Exit<A, unknown>, took: number): FlameError.Reason | undefined {
    const { what } = expected
    if (Exit.isSuccess(exit)) {
      if (expected.value === undefined) this.wrong(what, "it succeeded")
      else if (!expected.value(exit.value)) this.wrong(what, "it got what is not its own")
      else this.ledger.count("ok")
      return undefined
    }
    const error = Cause.squash(exit.cause)
    if (Cause.hasInterruptsOnly(exit.cause)) this.wrong(what, "it was interrupted by nobody")
    else if (error instanceof FlameError.FlameError) {
      const problem = this.flame(expected, error.reason, took)
      if (problem !== undefined) this.wrong(what, `${problem}: ${error.message}`)
      else this.ledger.count(error.reason._tag)
      return error.reason
    } else if (error instanceof Flame.RemoteDefect) {
      if (expected.defect?.(error) === true) this.ledger.count("died")
      else this.wrong(what, `a defect that is not its own: ${error.message}`)
    } else if (expected.error?.(error) === true) this.ledger.count("failed")
    else this.wrong(what, `an error that is not its own: ${Cause.pretty(exit.cause)}`)
    return undefined
  }

  private flame<A>(expected: Expected<A>, reason: FlameError.Reason, took: number): string | undefined {
    if (expected.reasons?.includes(reason._tag) === true) return undefined
    switch (reason._tag) {
      case "QueueFull":
        return reason.waiting < reason.capacity ? "refused by a queue that is not full" : undefined
      case "TimedOut":
        // Timers may be a millisecond early.
        return took < expected.timeout - 2 ? `timed out after ${Math.round(took)} of ${expected.timeout} ms` : undefined
      case "RunnerLost":
        if (expected.idempotent === true) return "an idempotent call was not sent again"
        return this.fates.unexplained(reason.runner, reason.exit)
      default:
        return "not to be expected"
    }
  }

  private wrong(what: string, problem: string): void {
    this.ledger.count("wrong")
    this.ledger.violation(`${what}: ${problem}`)
  }
}
