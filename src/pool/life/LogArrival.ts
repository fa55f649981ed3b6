/** What runners log, on its way into the log of their pool. A runner is not trusted: all of it is checked and bounded. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { LineBudget, rate } from "../../backend/OutputLines.ts"
import type { LogLine } from "../../wire/LogLine.ts"
import { decodeLines } from "../../wire/LogsReceived.ts"

/** Logs what one runner of a pool says, at its level and its time, with whose it is. */
export class LogArrival {
  private readonly budget: LineBudget
  private readonly pool: string
  private readonly runner: string
  private missing = 0

  constructor(pool: string, runner: string, now?: () => number) {
    this.pool = pool
    this.runner = runner
    this.budget = new LineBudget(now)
  }

  /** Logs what a frame says by an effect of the pool; a string says what is wrong with the frame. */
  take(body: Buffer, run: (log: Effect.Effect<void>) => void): string | undefined {
    const lines = decodeLines(body)
    if (typeof lines === "string") return lines
    run(Effect.forEach(lines, (line) => this.one(line), { discard: true }))
    return undefined
  }

  /** Whether a line of so many bytes that the parent writes about this runner fits the runner's budget; counts it. */
  allows(bytes: number): boolean {
    if (this.budget.take(bytes)) return true
    this.missing++
    return false
  }

  private one(line: LogLine | number): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (typeof line === "number") {
        this.missing += line
        return Effect.void
      }
      const size = JSON.stringify(line).length
      if (!this.budget.take(size)) {
        this.budget.leftOut += size
        this.missing++
        return Effect.void
      }
      this.budget.leftOut = 0
      const { missing } = this
      this.missing = 0
      return missing === 0 ? this.write(line) : Effect.andThen(this.write(this.gap(missing, line.at)), this.write(line))
    })
  }

  private gap(missing: number, at: number): LogLine {
    const why = `it logs more than is read, or than ${rate} lines a second`
    return { level: "Warn", at, message: [`${missing} lines dropped of the log of this runner: ${why}`] }
  }

  private write(line: LogLine): Effect.Effect<void> {
    return Effect.withFiber((pool) => {
      // what a call logs has passed its caller's level; what belongs to none is the pool's affair
      const least = pool.getRef(References.MinimumLogLevel)
      if (line.function === undefined && LogLevel.isGreaterThan(least, line.level)) return Effect.void
      return Effect.updateContext(
        Effect.withFiber((fiber) => {
          const cause = line.cause === undefined ? Cause.empty : Cause.die(new Logged(line.cause))
          const date = new Date(line.at)
          for (const logger of fiber.getRef(References.CurrentLoggers)) {
            logger.log({ message: line.message, logLevel: line.level, cause, fiber, date })
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

/** A cause that was made text on its runner: it shows as that text. */
class Logged extends Error {
  constructor(pretty: string) {
    const first = pretty.indexOf("\n")
    super(first < 0 ? pretty : pretty.slice(0, first))
    this.name = ""
    this.stack = pretty
  }
}
