/** The log lines about the boot and the end of a runner, at the level of the pool's option `log`. */
import * as Effect from "effect/Effect"
import type { Severity } from "effect/LogLevel"
import type { RunnerExit } from "../../error/RunnerExit.ts"
import type { DrainReason } from "../policy/Step.ts"
import { spoken } from "../../time/Spoken.ts"

type Level = Severity | undefined

/** Logs that a runner is ready. `took` is in milliseconds. */
export const ready = (level: Level, pool: string, runner: string, took: number, runners: number, max: number) =>
  at(
    level,
    () => `runner ${runner} of pool ${pool} is ready after ${spoken(took)}: ${runners} of at most ${max} runners`
  )

/** Logs the end of a runner that was told to leave. `age` is in milliseconds. */
export const ended = (level: Level, pool: string, runner: string, why: DrainReason, age: number, exit: RunnerExit) =>
  at(level, () => `runner ${runner} of pool ${pool} ended after ${spoken(age)} (${why}): ${exit.reason.message}`)

const at = (level: Level, line: () => string): Effect.Effect<void> =>
  level === undefined ? Effect.void : Effect.suspend(() => Effect.logWithLevel(level)(line()))
