/**
 * The parent's side of `LogLine.ts`: decodes the Logs frames of a runner. Every line is checked, cleaned and bounded, because
 * a runner is not trusted.
 */
import type * as LogLevel from "effect/LogLevel"
import { printable, printableLine, printableRecord, printableValue } from "../error/PeerText.ts"
import { type LogLine, logsLimit } from "./LogLine.ts"

/**
 * The lines of a Logs frame, and the numbers of missing lines between them. A string describes what is wrong with the
 * frame.
 */
export const decodeLines = (body: Buffer): ReadonlyArray<LogLine | number> | string => {
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
    message: message.map((part) => printableValue(part)),
    ...(annotations === undefined ? {} : { annotations: printableRecord(annotations) }),
    ...(spans === undefined ? {} : { spans: spans.map(([label, at]) => [printableLine(label), at] as const) }),
    ...(typeof cause === "string" ? { cause: printable(cause) } : {}),
    ...(typeof fn === "string" ? { function: printableLine(fn) } : {}),
    ...(isTraced ? { traceId: traceId as string, spanId: spanId as string } : {})
  }
}

const isRecord = (u: unknown): u is Readonly<Record<string, unknown>> =>
  typeof u === "object" && u !== null && !Array.isArray(u)

// The range of a Date.
const isTime = (u: unknown): u is number => typeof u === "number" && Math.abs(u) <= 8.64e15

const isSpan = (u: unknown): u is readonly [string, number] =>
  Array.isArray(u) && u.length === 2 && typeof u[0] === "string" && isTime(u[1])

const isTextOrNone = (u: unknown): boolean => u === undefined || typeof u === "string"

const isHex = (u: unknown, length: number): boolean =>
  typeof u === "string" && u.length === length && /^[0-9a-f]+$/.test(u)
