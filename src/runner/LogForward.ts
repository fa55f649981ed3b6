/**
 * What a runner logs, on its way to the parent's log in place of its own output.
 *
 *   log ──▶ queue ──end of turn, unless the connection is congested──▶ Logs frames
 *
 * Nothing waits for it: a queue that is full loses its oldest lines, and says how many.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { Kind } from "../wire/Frame.ts"
import type { Link } from "../wire/Link.ts"
import { encodeLine, type LogLine, takeFrame } from "../wire/LogLine.ts"
import { Current } from "../function/Current.ts"

/** Lines, and characters of them, that may wait for their turn. */
const mostLines = 1_000
const mostChars = 512 * 1024

type AnyLogger = Logger.Logger<unknown, unknown>
type Line = Parameters<AnyLogger["log"]>[0]

// the first one is that of the console; `effect/Logger` itself would be a tenth of a runner's boot
const [consoleLogger, spanLogger] = References.CurrentLoggers.defaultValue()

/** Where the lines of one runner wait for its parent. */
export class LogForward {
  private readonly logger: AnyLogger
  private queue: Array<string> = []
  private chars = 0
  private dropped = 0
  private link: Link | undefined
  private least: LogLevel.LogLevel = "All"
  private isScheduled = false
  private isOver = false
  /** Where lines go once the session is over. */
  private fallback: ReadonlySet<AnyLogger> = new Set([consoleLogger!])

  constructor() {
    this.logger = Object.assign(Object.create(Object.getPrototypeOf(consoleLogger)), {
      log: (line: Line) => this.log(line)
    }) as AnyLogger
  }

  /** The context with this in place of the console's logger; the loggers of the program's own stay. */
  around<R>(context: Context.Context<R>): Context.Context<R> {
    const loggers = new Set(Context.get(context as Context.Context<never>, References.CurrentLoggers))
    loggers.delete(consoleLogger!)
    return Context.add(context, References.CurrentLoggers, loggers.add(this.logger))
  }

  /** The context with this and what writes on spans as its only loggers: for a runner in the process of its parent. */
  instead<R>(context: Context.Context<R>): Context.Context<R> {
    this.fallback = Context.get(context as Context.Context<never>, References.CurrentLoggers)
    const loggers: ReadonlySet<AnyLogger> = new Set([this.logger, spanLogger!])
    return Context.add(context, References.CurrentLoggers, loggers)
  }

  /** The parent has let this runner in, and wants lines of this level or above. */
  open(link: Link, least: LogLevel.LogLevel | undefined): void {
    this.link = link
    if (least !== undefined) {
      this.least = least
      // what was logged before anybody had said what is wanted
      this.queue = this.queue.filter((line) => !LogLevel.isGreaterThan(least, (JSON.parse(line) as LogLine).level))
    }
    this.schedule()
  }

  /** Sends all that waits: the last that may be sent follows. From now on lines are printed. */
  close(): void {
    if (this.isOver) return
    if (this.link?.closed === false) this.send()
    this.isOver = true
  }

  /** Whatever has not reached the parent, one line of text each, and nothing more of it will come. */
  takeUnsent(): ReadonlyArray<string> {
    const lines = this.queue.map(toText)
    if (this.dropped > 0) lines.unshift(`(${this.dropped} lines dropped)`)
    this.empty()
    return lines
  }

  private log(line: Line): void {
    // the session is over: what is said now reaches the parent as output, if at all
    if (this.isOver || this.link?.closed === true) {
      for (const logger of this.fallback) logger.log(line)
      return
    }
    if (LogLevel.isGreaterThan(this.least, line.logLevel)) return
    const text = encodeLine(lineOf(line))
    this.queue.push(text)
    this.chars += text.length
    while (this.queue.length > mostLines || this.chars > mostChars) {
      this.chars -= this.queue.shift()!.length
      this.dropped++
    }
    this.schedule()
  }

  private schedule(): void {
    if (this.isScheduled || this.link === undefined || this.queue.length === 0) return
    this.isScheduled = true
    this.link.whenFree(() => {
      this.isScheduled = false
      if (!this.isOver) this.send()
    })
  }

  private send(): void {
    const { link, queue } = this
    if (link === undefined || link.closed) return
    while (queue.length > 0) {
      link.control(Kind.Logs, 0, takeFrame(queue, this.dropped))
      this.dropped = 0
    }
    this.chars = 0
  }

  private empty(): void {
    this.queue = []
    this.chars = 0
    this.dropped = 0
  }
}

const lineOf = ({ cause, date, fiber, logLevel, message }: Line): LogLine => {
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  const spans = fiber.getRef(References.CurrentLogSpans)
  const context = fiber.context as Context.Context<Current | Tracer.ParentSpan>
  const call = Context.getOrUndefined(context, Current)
  const span = Context.getOrUndefined(context, Tracer.ParentSpan)
  return {
    level: logLevel as LogLevel.Severity,
    at: date.getTime(),
    message: Array.isArray(message) ? message : [message],
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(spans.length === 0 ? {} : { spans }),
    ...(cause.reasons.length === 0 ? {} : { cause: Cause.pretty(cause) }),
    ...(call === undefined ? {} : { function: call.function }),
    ...(span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId })
  }
}

/** A line for people, where it goes to stderr after all. */
const toText = (json: string): string => {
  const { at, cause, level, message } = JSON.parse(json) as LogLine
  const text = message.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(" ")
  return `[${new Date(at).toISOString()}] ${level.toUpperCase()}: ${text}${cause === undefined ? "" : `\n${cause}`}`
}
