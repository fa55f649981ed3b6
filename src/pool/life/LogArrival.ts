/**
 * Writes the log lines of runners into the log of their pool. A runner is not trusted, so its lines are checked and
 * bounded.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { LineBudget, rate } from "../../backend/LineBudget.ts"
import { confine } from "../../error/Unhandled.ts"
import type { LogLine } from "../../wire/LogLine.ts"
import { decodeLines } from "../../wire/LogLineDecoding.ts"

/** Milliseconds within which missing lines are reported. */
const reportAfter = 900

type Run = (log: Effect.Effect<void>) => void

/** Logs the lines of one runner at their level and time, with runner, pool and function. */
export class LogArrival {
  private readonly budget: LineBudget
  /** A second budget for errors only, so that a flood of other lines does not drop errors. */
  private readonly errorBudget: LineBudget
  private readonly pool: string
  private readonly runner: string
  /** Receives every line that is written. */
  private readonly seen: ((line: LogLine) => void) | undefined
  private missing = 0
  /** Whether a report of missing lines is due. */
  private isReporting = false

  constructor(pool: string, runner: string, now?: () => number, seen?: (line: LogLine) => void) {
    this.pool = pool
    this.runner = runner
    this.seen = seen
    this.budget = new LineBudget(now)
    this.errorBudget = new LineBudget(now)
  }

  /** Logs the lines of a frame by effects that `run` runs. Returns what is wrong with the frame, or undefined. */
  take(body: Buffer, run: Run): string | undefined {
    const lines = decodeLines(body)
    if (typeof lines === "string") return lines
    run(Effect.forEach(lines, (line) => this.one(line, run), { discard: true }))
    return undefined
  }

  /** Reports missing lines of a runner that is gone, because no later line would report them. */
  end(run: Run): void {
    if (this.missing > 0) run(this.report)
  }

  /**
   * Whether a line of that many bytes, which the parent writes about this runner, fits the runner's budget. Counts the
   * line.
   */
  allows(bytes: number): boolean {
    if (this.budget.take(bytes)) return true
    this.missing++
    return false
  }

  private one(line: LogLine | number, run: Run): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (typeof line === "number") {
        this.miss(line, run)
        return Effect.void
      }
      const size = JSON.stringify(line).length
      if (!this.budget.take(size)) {
        this.budget.leftOut += size
        const isError = line.level === "Error" || line.level === "Fatal"
        if (isError && this.errorBudget.take(size)) return this.write(line)
        this.miss(1, run)
        return Effect.void
      }
      this.budget.leftOut = 0
      return this.missing === 0 ? this.write(line) : Effect.andThen(this.report, this.write(line))
    })
  }

  private miss(lines: number, run: Run): void {
    this.missing += lines
    if (this.isReporting) return
    this.isReporting = true
    run(
      Effect.delay(
        Effect.suspend(() => {
          this.isReporting = false
          return this.report
        }),
        reportAfter
      )
    )
  }

  /** Writes the number of missing lines, if there are any. */
  private readonly report: Effect.Effect<void> = Effect.suspend(() => {
    const { missing } = this
    if (missing === 0) return Effect.void
    this.missing = 0
    const why = `the runner logs faster than the parent reads, or more than ${rate} lines a second`
    const message = [`${missing} lines dropped of the log of this runner: ${why}`]
    return Effect.clockWith((clock) => this.write({ level: "Warn", at: clock.currentTimeMillisUnsafe(), message }))
  })

  private write(line: LogLine): Effect.Effect<void> {
    return Effect.withFiber((pool) => {
      this.seen?.(line)
      // A line of a call has passed its caller's minimum level. The pool's level applies to lines without a call.
      const least = pool.getRef(References.MinimumLogLevel)
      if (line.function === undefined && LogLevel.isGreaterThan(least, line.level)) return Effect.void
      return Effect.updateContext(
        Effect.withFiber((fiber) => {
          const cause = line.cause === undefined ? Cause.empty : Cause.die(new Logged(line.cause))
          const date = new Date(line.at)
          for (const logger of fiber.getRef(References.CurrentLoggers)) {
            confine(() => logger.log({ message: line.message, logLevel: line.level, cause, fiber, date }))
          }
          return Effect.void
        }),
        (context: Context.Context<never>) => this.around(context, line)
      )
    })
  }

  private around(context: Context.Context<never>, line: LogLine): Context.Context<never> {
    const { spanId, traceId } = line
    let out = Context.add(context, References.CurrentLogAnnotations, {
      ...Context.get(context, References.CurrentLogAnnotations),
      ...line.annotations,
      runner: this.runner,
      pool: this.pool,
      ...(line.function === undefined ? {} : { function: line.function }),
      ...(traceId === undefined ? {} : { traceId, spanId })
    })
    out = Context.add(
      out,
      References.CurrentLogSpans,
      (line.spans ?? []).map(([label, at]) => [label, at])
    )
    return traceId === undefined || spanId === undefined
      ? out
      : Context.add(out, Tracer.ParentSpan, Tracer.externalSpan({ traceId, spanId, sampled: true }))
  }
}

/** A cause that its runner has sent as text, which loggers print. */
class Logged extends Error {
  constructor(pretty: string) {
    const first = pretty.indexOf("\n")
    super(first < 0 ? pretty : pretty.slice(0, first))
    this.name = ""
    this.stack = pretty
  }
}
