/** Pauses between tries to list or watch, in milliseconds: twice as long each time, with jitter, up to 5 s. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

export const first = 50

const longest = 5_000

export const longer = (pause: number): number => Math.min(2 * pause, longest)

export const sleep = (pause: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(pause * (0.5 + 0.5 * random)))
