/** Retries of one request to the API server. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { pauseAfter } from "../../time/RetryPause.ts"
import type { KubeError } from "./KubeError.ts"

/** Pauses between two tries of one request, in milliseconds. */
const pauses = { first: 200, longest: 5_000 } as const

/**
 * The pause before the next try, in milliseconds.
 *
 * A `Retry-After` of the server is a lower bound. Jitter adds up to a quarter to that bound, because all clients that got
 * the same answer would otherwise come back together.
 */
export const pause = (failures: number, retryAfter: number | undefined, random: number): number => {
  const own = pauseAfter(failures, pauses, random)
  return retryAfter === undefined ? own : Math.max(own, retryAfter * (1 + random / 4))
}

/**
 * Repeats an attempt while its error is retryable and the next try can begin within `total` milliseconds.
 *
 * Fails with the error of the last try. Each attempt gets the number of milliseconds that are left.
 */
export const retrying = <A, R>(
  total: number,
  attempt: (left: number) => Effect.Effect<A, KubeError, R>
): Effect.Effect<A, KubeError, R> =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + total
    const again = (failures: number, left: number): Effect.Effect<A, KubeError, R> =>
      Effect.catchIf(
        attempt(left),
        (error) => error.retryable,
        Effect.fnUntraced(function* (error: KubeError) {
          const wait = pause(failures, error.retryAfter, yield* Random.next)
          const rest = until - (yield* Clock.currentTimeMillis) - wait
          if (rest <= 0) return yield* error
          yield* Effect.sleep(wait)
          return yield* again(failures + 1, rest)
        })
      )
    return yield* again(1, total)
  })
