/** Why a runner ended, as far as its backend tells in time. */
import * as Effect from "effect/Effect"
import type { RunnerProcess } from "../backend/Backend.ts"
import { Disconnected, type RunnerExit } from "../RunnerExit.ts"

/** Nothing is known but that its connection is gone. */
export const unknown: RunnerExit = { reason: new Disconnected({}), gone: false }

/**
 * How long a caller whose call was cut at the end of a drain waits for the reason of an end, in milliseconds. Finalizers of
 * cut calls run for `cancelGrace`, so that a runner may end amid them; but the time is for taking the runners away.
 */
const lastReasons = 500

/** Completes when a caller whose session is over now, or was at the cut, has waited for its reason for long enough. */
export const outOfPatience = (outOfTime: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.andThen(outOfTime, Effect.sleep(lastReasons))

/** What the backend says within some milliseconds, or before `outOfTime` completes; else `unknown`. */
export const reasonWithin = (
  process: RunnerProcess,
  millis: number,
  outOfTime: Effect.Effect<void>
): Effect.Effect<RunnerExit> =>
  // a turn later: a parent that computed is told of the end of a process after its own timers
  Effect.raceAllFirst([
    process.exit,
    Effect.andThen(Effect.raceFirst(Effect.sleep(millis), outOfTime), Effect.as(Effect.yieldNow, unknown))
  ]).pipe(
    Effect.catchCause((cause) =>
      Effect.as(Effect.logError("a backend could not tell how a runner ended", cause), unknown)
    )
  )
