/**
 * The runner's side of log lines on the wire: encodes lines as JSON, and packs a few of them into a Logs frame.
 * `LogLineDecoding.ts` decodes them in the parent.
 *
 * A Logs frame is a JSON array of lines. A number in the array says how many lines are missing there.
 */
import type { Severity } from "effect/LogLevel"
import { fitting, sayable } from "./Annotations.ts"

/** The largest Logs frame, and so the largest line, in bytes. */
export const logsLimit = 16 * 1024

/** A line of a log. */
export interface LogLine {
  readonly level: Severity
  /** Milliseconds since 1970, by the runner's clock. */
  readonly at: number
  readonly message: ReadonlyArray<unknown>
  readonly annotations?: Readonly<Record<string, unknown>>
  /** Log spans: label, and when they began. */
  readonly spans?: ReadonlyArray<readonly [label: string, at: number]>
  /** The cause, as text for people. */
  readonly cause?: string
  /** The function to whose call the line belongs. */
  readonly function?: string
  readonly traceId?: string
  readonly spanId?: string
}

/**
 * Characters of message and cause that are kept of a line that is too large. The second pair applies if characters take
 * many bytes.
 */
const cuts = [
  [10_000, 4_000],
  [1_500, 500]
] as const

/** Bytes of annotations that are kept of a line that is too large, or that JSON cannot hold. */
const annotationsLimit = 2 * 1024

/**
 * Encodes a line as JSON that always fits a frame. A line that is too large, or that JSON cannot hold, is cut to its
 * text.
 */
export const encodeLine = (line: LogLine): string => {
  const whole = stringify(line)
  if (whole !== undefined && fits(whole)) return whole
  const annotations = line.annotations === undefined ? undefined : fitting(line.annotations, annotationsLimit)
  const lighter = stringify({ ...line, annotations })
  if (lighter !== undefined && fits(lighter)) return lighter
  const message = line.message.map(textOf).join(" ")
  for (const [most, mostCause] of cuts) {
    const cut = stringify({
      level: line.level,
      at: line.at,
      message: [clip(message, most)],
      annotations,
      cause: line.cause === undefined ? undefined : clip(line.cause, mostCause),
      function: line.function,
      traceId: line.traceId,
      spanId: line.spanId
    })
    if (cut !== undefined && fits(cut)) return cut
  }
  return JSON.stringify({ level: line.level, at: line.at, message: ["(a line that cannot be sent)"] })
}

/** Takes the lines from the front that fit one frame, and encodes its body. `dropped` lines are missing before them. */
export const takeFrame = (lines: Array<string>, dropped: number): Buffer => {
  let text = dropped === 0 ? "[" : `[${dropped}`
  let bytes = text.length + 1
  let taken = 0
  for (const line of lines) {
    const size = Buffer.byteLength(line) + 1
    if (taken > 0 && bytes + size > logsLimit) break
    text += text.length === 1 ? line : `,${line}`
    bytes += size
    taken++
  }
  lines.splice(0, taken)
  return Buffer.from(`${text}]`)
}

// Leaves room for the brackets, and for the number of missing lines.
const fits = (text: string): boolean => Buffer.byteLength(text) <= logsLimit - 20

const clip = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}... (cut)` : text)

const stringify = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value, sayable)
  } catch {
    return undefined
  }
}

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  try {
    return stringify(value) ?? String(value)
  } catch {
    return "(a value that cannot be shown)"
  }
}
