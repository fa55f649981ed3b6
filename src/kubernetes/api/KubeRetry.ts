/** When a request to the API server is made again, and when no more. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { KubeError } from "./KubeError.ts"

const base = 100
const cap = 5000

/**
 * How long to wait before the next try, in milliseconds: 100 to 200 at first, twice as long each time up to 5 s; not
 * before the server wants it, and then spread over a quarter more, or all who were told the same would come at once.
 */
export const pause = (failures: number, retryAfter: number | undefined, random: number): number => {
  const own = Math.min(cap / 2, base * 2 ** (failures - 1)) * (1 + random)
  return retryAfter === undefined ? own : Math.max(own, retryAfter * (1 + random / 4))
}

/**
 * Tries until it succeeds, fails for good, or another try would not begin within `total` milliseconds: then it fails as
 * the last try did. Each try is told how much time is left.
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
