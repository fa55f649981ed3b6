/** Why a runner ended, as far as its backend tells in time. */
import * as Effect from "effect/Effect"
import type { RunnerProcess } from "../backend/Backend.ts"
import { Disconnected, type RunnerExit } from "../RunnerExit.ts"

/** Nothing is known but that its connection is gone. */
export const unknown: RunnerExit = { reason: new Disconnected({}), gone: false }

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
