/**
 * Sends the log lines of a runner to the log of its parent, instead of printing them.
 *
 *   log ──▶ queue ──end of turn, unless the connection is congested──▶ Logs frames
 *
 * A function never waits for its log: a full queue drops its oldest lines, errors last, and reports how many.
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
import { quietly } from "./QuietOutput.ts"

/** Lines, and characters of lines, that may wait for their turn. */
const mostLines = 1_000
const mostChars = 512 * 1024

type AnyLogger = Logger.Logger<unknown, unknown>
type Line = Parameters<AnyLogger["log"]>[0]

// The first logger is the console's. Loading `effect/Logger` would take a tenth of a runner's boot.
const [consoleLogger, spanLogger] = References.CurrentLoggers.defaultValue()

const errorLevels: ReadonlySet<LogLevel.LogLevel> = new Set(["Error", "Fatal"])

/** The lines of one runner that wait for its parent. */
export class LogForward {
  private readonly logger: AnyLogger
  private queue: Array<string> = []
  /** For each line of the queue whether it is an error. */
  private errors: Array<boolean> = []
  private chars = 0
  private dropped = 0
  private link: Link | undefined
  private least: LogLevel.LogLevel = "All"
  private isScheduled = false
  private isOver = false
  /** The loggers of lines that are logged after the session. */
  private fallback: ReadonlySet<AnyLogger> = new Set([consoleLogger!])

  constructor() {
    this.logger = Object.assign(Object.create(Object.getPrototypeOf(consoleLogger)), {
      log: (line: Line) => this.log(line)
    }) as AnyLogger
  }

  /**
   * The context of a runner that is a process: this logger takes the place of the console's. Other loggers of the program
   * stay, such as those that export, but what they print is dropped.
   */
  around<R>(context: Context.Context<R>): Context.Context<R> {
    const own = Context.get(context as Context.Context<never>, References.CurrentLoggers)
    const loggers = new Set<AnyLogger>()
    for (const logger of own) {
      if (logger === spanLogger || logger === this.logger) loggers.add(logger)
      else if (logger !== consoleLogger) loggers.add(quiet(logger))
    }
    return Context.add(context, References.CurrentLoggers, loggers.add(this.logger))
  }

  /** The context of a runner in the process of its parent: this logger, and the one that writes on spans. */
  instead<R>(context: Context.Context<R>): Context.Context<R> {
    this.fallback = Context.get(context as Context.Context<never>, References.CurrentLoggers)
    const loggers: ReadonlySet<AnyLogger> = new Set([this.logger, spanLogger!])
    return Context.add(context, References.CurrentLoggers, loggers)
  }

  /** Begins to send: the parent has let this runner in, and wants lines of the level `least` or above. */
  open(link: Link, least: LogLevel.LogLevel | undefined): void {
    this.link = link
    if (least !== undefined) {
      this.least = least
      // The lines before the Welcome were kept whatever their level.
      const isWanted = this.queue.map((line) => !LogLevel.isGreaterThan(least, (JSON.parse(line) as LogLine).level))
      this.queue = this.queue.filter((_, index) => isWanted[index])
      this.errors = this.errors.filter((_, index) => isWanted[index])
      this.chars = this.queue.reduce((sum, { length }) => sum + length, 0)
    }
    this.schedule()
  }

  /** Sends all lines that wait, before the last frame of the session. Later lines are printed. */
  close(): void {
    if (this.isOver) return
    if (this.link?.closed === false) this.send()
    this.isOver = true
  }

  /** Removes and returns the lines that have not reached the parent, each as text. */
  takeUnsent(): ReadonlyArray<string> {
    const lines = this.queue.map(toText)
    if (this.dropped > 0) lines.unshift(`(${this.dropped} lines dropped)`)
    this.empty()
    return lines
  }

  private log(line: Line): void {
    // After the session, the output of the runner is the only way to the parent.
    if (this.isOver || this.link?.closed === true) {
      for (const logger of this.fallback) logger.log(line)
      return
    }
    if (LogLevel.isGreaterThan(this.least, line.logLevel)) return
    const text = encode(line)
    this.queue.push(text)
    this.errors.push(errorLevels.has(line.logLevel))
    this.chars += text.length
    while (this.queue.length > mostLines || this.chars > mostChars) this.drop()
    this.schedule()
  }

  /** Drops the oldest line that is no error, or the oldest error if there are only errors. */
  private drop(): void {
    const index = Math.max(0, this.errors.indexOf(false))
    const [line] = this.queue.splice(index, 1)
    this.errors.splice(index, 1)
    this.chars -= line!.length
    this.dropped++
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
    this.errors = []
    this.chars = 0
  }

  private empty(): void {
    this.queue = []
    this.errors = []
    this.chars = 0
    this.dropped = 0
  }
}

/** A logger of the program whose output is dropped. */
const quiet = (logger: AnyLogger): AnyLogger =>
  Object.assign(Object.create(Object.getPrototypeOf(logger)), {
    log: (line: Line) => quietly(() => logger.log(line))
  }) as AnyLogger

/** Encodes a line as JSON. A value whose getters throw must not end the fiber that logs it. */
const encode = (line: Line): string => {
  try {
    return encodeLine(lineOf(line))
  } catch (error) {
    const message = [`(a line that cannot be sent: ${String(error)})`]
    return encodeLine({ level: line.logLevel as LogLevel.Severity, at: line.date.getTime(), message })
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

/** A line as text, for stderr. */
const toText = (json: string): string => {
  const { at, cause, level, message } = JSON.parse(json) as LogLine
  const text = message.map((part) => (typeof part === "string" ? part : JSON.stringify(part))).join(" ")
  return `[${new Date(at).toISOString()}] ${level.toUpperCase()}: ${text}${cause === undefined ? "" : `\n${cause}`}`
}
