/**
 * Text that another process wrote, made safe for a log, an error or an event.
 *
 * Control characters (C0, C1, escape sequences), line separators and bidirectional overrides could forge a log line or
 * rewrite a terminal. Every door through which such text enters uses one of these functions. Their time is linear in the
 * length of the text.
 */

/** The longest text that is kept, in characters. */
const maxText = 16 * 1024

const unsafe = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/u
const allUnsafe = new RegExp(unsafe.source, "gu")

/** Escape sequences: CSI (colours, cursor), then OSC, DCS, SOS, PM and APC with their text, then any two characters. */
const escapes =
  // oxlint-disable-next-line no-control-regex
  /\u001b\[[0-?]*[ -/]*[@-~]?|\u001b[\]PX^_][^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/gu

const clip = (text: string, max: number): string => (text.length > max ? `${text.slice(0, max - 3)}...` : text)

/** Whether a text may stand in a log as it is, on one line. */
export const isPrintable = (text: string): boolean => !unsafe.test(text)

/** Text of several lines: line breaks stay, a tab becomes two blanks. Cut at `max` characters, default 16 384. */
export const printable = (text: string, max: number = maxText): string => {
  const clipped = clip(text, max)
  if (isPrintable(clipped)) return clipped
  return clipped
    .replace(escapes, "")
    .replace(/\t/g, "  ")
    .split("\n")
    .map((line) => line.replace(allUnsafe, ""))
    .join("\n")
}

/** Text of one line: line breaks become blanks, a tab becomes two. Cut at `max` characters, default 16 384. */
export const printableLine = (text: string, max: number = maxText): string => {
  const clipped = clip(text, max)
  if (isPrintable(clipped)) return clipped
  const lines = clipped
    .replace(escapes, "")
    .replace(/\t/g, "  ")
    .split(/[\r\n]/)
  const whole = lines.length === 1 ? (lines[0] ?? "") : lines.map(trimmed).filter(isSome).join(" ")
  return whole.replace(allUnsafe, "")
}

const trimmed = (line: string): string => line.trim()
const isSome = (line: string): boolean => line !== ""

/** The deepest level of a value that is kept: loggers walk values recursively. */
const deepest = 16

/** A JSON value whose texts and keys are printable. Deeper than 16 levels it is cut. */
export const printableValue = (value: unknown, depth = 0): unknown => {
  if (typeof value === "string") return printable(value)
  if (typeof value !== "object" || value === null) return value
  if (depth >= deepest) return "..."
  if (Array.isArray(value)) return value.map((item) => printableValue(item, depth + 1))
  return printableRecord(value, depth)
}

/** A JSON object whose texts and keys are printable. */
export const printableRecord = (value: object, depth = 0): Record<string, unknown> => {
  const out: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    const name = printableLine(key)
    // Compared after the cleaning, which may have uncovered the name.
    if (name !== "__proto__") out[name] = printableValue(item, depth + 1)
  }
  return out
}
