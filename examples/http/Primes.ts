/** The function of the server. Counting primes in the server would block its event loop. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Flame } from "effect-flame"

/** Counts the primes below a number, the slow way. */
export const countPrimes = Flame.fn(
  "countPrimes",
  { payload: { below: Schema.Int }, success: Schema.Int },
  ({ below }) =>
    Effect.gen(function* () {
      yield* Effect.log(`counting primes below ${below}`)
      let count = 0
      for (let from = 2; from < below; from += slice) {
        for (let n = from; n < Math.min(from + slice, below); n++) if (isPrime(n)) count++
        // A cancellation can only arrive when computing code yields.
        yield* Effect.yieldNow
      }
      return count
    }).pipe(
      // Runs on the runner when the client hangs up, and when the budget of the call is over.
      Effect.onInterrupt(() => Effect.log(`stopped counting primes below ${below}`))
    )
)

const slice = 20_000

const isPrime = (n: number): boolean => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false
  return true
}
