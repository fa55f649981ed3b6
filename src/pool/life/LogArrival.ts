/** What runners log, on its way into the log of their pool. A runner is not trusted: all of it is checked and bounded. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { LineBudget, rate } from "../../backend/OutputLines.ts"
import { printable } from "../../function/DefectCodec.ts"
import { type LogLine, logsLimit } from "../../wire/LogLine.ts"

/** A value of a line that is nested deeper is cut there. */
const deepest = 16

/** The lines of a Logs frame, and how many are missing between them; a string says what is wrong with it. */
export const decode = (body: Buffer): ReadonlyArray<LogLine | number> | string => {
  if (body.length > logsLimit) return `a Logs frame of ${body.length} bytes, the limit is ${logsLimit}`
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString("utf8"))
  } catch {
    return "a Logs frame that is no JSON"
  }
  if (!Array.isArray(parsed)) return "a Logs frame that is no list"
  const lines: Array<LogLine | number> = []
  for (const item of parsed) {
    const line = Number.isSafeInteger(item) && item > 0 ? (item as number) : asLine(item)
    if (line === undefined) return "a Logs frame with a line that is not understood here"
    lines.push(line)
  }
  return lines
}

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
    const lines = decode(body)
    if (typeof lines === "string") return lines
    run(Effect.forEach(lines, (line) => this.one(line), { discard: true }))
    return undefined
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

const severities = new Set<unknown>(["Fatal", "Error", "Warn", "Info", "Debug", "Trace"])

const asLine = (item: unknown): LogLine | undefined => {
  if (!isRecord(item)) return undefined
  const { annotations, at, cause, function: fn, level, message, spanId, spans, traceId } = item
  if (!severities.has(level) || !isTime(at) || !Array.isArray(message)) return undefined
  if (annotations !== undefined && !isRecord(annotations)) return undefined
  if (spans !== undefined && !(Array.isArray(spans) && spans.every(isSpan))) return undefined
  if (![cause, fn, spanId, traceId].every(isTextOrNone)) return undefined
  const isTraced = isHex(traceId, 32) && isHex(spanId, 16)
  return {
    level: level as LogLevel.Severity,
    at,
    message: message.map((part) => clean(part, 0)),
    ...(annotations === undefined ? {} : { annotations: clean(annotations, 0) as Record<string, unknown> }),
    ...(spans === undefined ? {} : { spans: spans.map(([label, at]) => [printable(label), at] as const) }),
    ...(typeof cause === "string" ? { cause: printable(cause) } : {}),
    ...(typeof fn === "string" ? { function: printable(fn) } : {}),
    ...(isTraced ? { traceId: traceId as string, spanId: spanId as string } : {})
  }
}

const isRecord = (u: unknown): u is Readonly<Record<string, unknown>> =>
  typeof u === "object" && u !== null && !Array.isArray(u)

// what a Date can hold
const isTime = (u: unknown): u is number => typeof u === "number" && Math.abs(u) <= 8.64e15

const isSpan = (u: unknown): u is readonly [string, number] =>
  Array.isArray(u) && u.length === 2 && typeof u[0] === "string" && isTime(u[1])

const isTextOrNone = (u: unknown): boolean => u === undefined || typeof u === "string"

const isHex = (u: unknown, length: number): boolean =>
  typeof u === "string" && u.length === length && /^[0-9a-f]+$/.test(u)

/** Text without what could rewrite a line or a terminal, at any depth that a logger can walk. */
const clean = (value: unknown, depth: number): unknown => {
  if (typeof value === "string") return printable(value)
  if (typeof value !== "object" || value === null) return value
  if (depth >= deepest) return "..."
  if (Array.isArray(value)) return value.map((item) => clean(item, depth + 1))
  const out: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    const name = printable(key)
    // as it is set here: what is stripped may have hidden it
    if (name !== "__proto__") out[name] = clean(item, depth + 1)
  }
  return out
}
