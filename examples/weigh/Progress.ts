/** Shows progress: a bar on a terminal, a line every two seconds elsewhere. */
import { Clock, Duration, Effect, Schedule, type Scope } from "effect"
import { plural } from "./Report.ts"

/** The figures of a line of progress. */
export interface Figures {
  readonly done: number
  readonly total: number
  /** Bytes of scripts that are done. */
  readonly bytes: number
  /** Such as "2 runners". */
  readonly by: string
}

const barWidth = 30

const text = ({ by, bytes, done, total }: Figures, millis: number, bar: boolean): string => {
  const filled = total === 0 ? barWidth : Math.round((done / total) * barWidth)
  const drawing = bar ? `[${"#".repeat(filled)}${".".repeat(barWidth - filled)}] ` : ""
  const rate = millis === 0 ? 0 : bytes / 1024 / 1024 / (millis / 1000)
  return `${drawing}${done}/${plural(total, "package")}, ${by}, ${rate.toFixed(2)} MiB/s of scripts`
}

/** Shows the figures for as long as the scope is open. */
export const show = (figures: Effect.Effect<Figures>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    const isTerminal = process.stdout.isTTY
    const draw = Effect.gen(function* () {
      const line = text(yield* figures, (yield* Clock.currentTimeMillis) - started, isTerminal)
      process.stdout.write(isTerminal ? `\r\u001b[2K${line.slice(0, process.stdout.columns - 1)}` : `${line}\n`)
    })
    if (isTerminal) yield* Effect.addFinalizer(() => Effect.sync(() => void process.stdout.write("\r\u001b[2K")))
    const pause = isTerminal ? Duration.millis(100) : Duration.seconds(2)
    yield* Effect.forkScoped(Effect.delay(Effect.repeat(draw, Schedule.spaced(pause)), pause))
  })
