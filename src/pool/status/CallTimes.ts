/** The times of one call, and `Flame.explain`, which reports them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"

/**
 * The milliseconds of each part of one call. As a string: one line for people.
 *
 * @since 0.1.0
 * @category calling
 */
export class CallTimes {
  readonly pool: string
  readonly function: string
  /** The runner that got the call last. Undefined for a call that was never sent. */
  readonly runner: string | undefined
  readonly outcome: "succeeded" | "failed" | "interrupted"
  /** Milliseconds from the call to its answer. */
  readonly total: number
  /** Milliseconds of waiting for a free slot, without the boot below. */
  readonly queued: number
  /**
   * The boot that it waited for, step by step, such as `scheduled`, `pulled`, `started`, `imported`, `connected`: how long
   * it waited for each of them. Empty if its runner was there already.
   */
  readonly boot: ReadonlyArray<readonly [step: string, millis: number]>
  /**
   * Milliseconds of the way to the runner and back, encoding included: the rest of the time since the call was sent.
   * Undefined if `ran` is undefined.
   */
  readonly carried: number | undefined
  /** Milliseconds that the function ran, by its runner's clock. Undefined if the runner has not reported it. */
  readonly ran: number | undefined

  constructor(times: { readonly [Key in Exclude<keyof CallTimes, "toString">]: CallTimes[Key] }) {
    this.pool = times.pool
    this.function = times.function
    this.runner = times.runner
    this.outcome = times.outcome
    this.total = times.total
    this.queued = times.queued
    this.boot = times.boot
    this.carried = times.carried
    this.ran = times.ran
  }

  toString(): string {
    const parts = [`queued ${shown(this.queued)}`]
    if (this.boot.length > 0) {
      const whole = this.boot.reduce((sum, [, millis]) => sum + millis, 0)
      const steps = this.boot.map(([step, millis]) => `${step} ${shown(millis)}`).join(", ")
      parts.push(`boot ${shown(whole)} (${steps})`)
    }
    if (this.ran === undefined) parts.push(this.runner === undefined ? "never sent" : "sent, without an answer")
    else parts.push(`carried ${shown(this.carried ?? 0)}`, `ran ${shown(this.ran)}`)
    const where = this.runner === undefined ? this.pool : this.runner
    return `${this.function} ${this.outcome} after ${shown(this.total)} on ${where}: ${parts.join(", ")}`
  }
}

const shown = (millis: number): string =>
  millis < 10 ? `${Math.round(millis * 100) / 100} ms` : `${Math.round(millis)} ms`

/**
 * The functions that receive the times of calls made in this context.
 *
 * @since 0.1.0
 * @category calling
 */
export class Explain extends Context.Service<Explain, (times: CallTimes) => void>()("effect-flame/Explain") {}

/**
 * Reports the times of every call and cast inside of an effect, once it has its answer.
 *
 * Calls that never reach a pool, such as those with an invalid payload, are left out. Errors that `tell` throws are dropped.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))
 * const nine = Flame.call(square, { n: 3 }).pipe(Flame.explain((times) => console.log(String(times))))
 * ```
 *
 * @since 0.1.0
 * @category calling
 */
export const explain: {
  (tell: (times: CallTimes) => void): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(effect: Effect.Effect<A, E, R>, tell: (times: CallTimes) => void): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(effect: Effect.Effect<A, E, R>, tell: (times: CallTimes) => void): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, Explain, tell) as Effect.Effect<A, E, R>
)
