/** Random numbers that make every pause its longest. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

export const withoutJitter = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Random.Random, { nextIntUnsafe: () => 0, nextDoubleUnsafe: () => 1 })
