/** A bucket of tokens: so many at once, then so many a second, in the order of asking. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** What holds callers back. */
export interface KubePace {
  /** Waits for a token and takes it; who is interrupted while waiting gives it back. */
  readonly take: Effect.Effect<void>
}

/** A full bucket of `burst` tokens, filled up by `rate` a second. */
export const make = ({ burst, rate }: { readonly burst: number; readonly rate: number }): KubePace => {
  let tokens = burst
  let at = -Infinity
  const reserve = (now: number): number => {
    tokens = Math.min(burst, tokens + ((now - Math.min(at, now)) * rate) / 1000)
    at = now
    tokens--
    // below zero it is a debt: this caller waits until it is paid, the next one longer
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
