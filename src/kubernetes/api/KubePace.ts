/** A token bucket: limits the rate of callers, in the order in which they ask. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** A token bucket. */
export interface KubePace {
  /** Waits for a token and takes it. An interrupted caller gives its token back. */
  readonly take: Effect.Effect<void>
}

/** A full bucket of `burst` tokens, which gets `rate` tokens a second. */
export const make = ({ burst, rate }: { readonly burst: number; readonly rate: number }): KubePace => {
  let tokens = burst
  let at = -Infinity
  const reserve = (now: number): number => {
    tokens = Math.min(burst, tokens + ((now - Math.min(at, now)) * rate) / 1000)
    at = now
    tokens--
    // A negative balance is a debt: this caller waits until the debt is paid, and the next caller longer.
    return tokens < 0 ? (-tokens / rate) * 1000 : 0
  }
  const giveBack = Effect.sync(() => void tokens++)
  return {
    take: Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const wait = reserve(now)
      return wait === 0 ? Effect.void : Effect.onInterrupt(Effect.sleep(wait), () => giveBack)
    })
  }
}
