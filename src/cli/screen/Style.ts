/** Pure: text for terminals: tables, colours, ages. Without colour the text is plain, for pipes and files. */
import { printableLine } from "../../error/PeerText.ts"
import { spoken } from "../../time/Spoken.ts"

/** The look of a text. */
export type Tone = "plain" | "good" | "bad" | "warn" | "dim" | "bold" | "accent"

const codes: Readonly<Record<Tone, readonly [string, string]>> = {
  plain: ["", ""],
  good: ["32", "39"],
  bad: ["31", "39"],
  warn: ["33", "39"],
  accent: ["36", "39"],
  dim: ["2", "22"],
  bold: ["1", "22"]
}

/** Paints a text, or leaves it as it is. */
export type Paint = (tone: Tone, text: string) => string

/** The painter of a terminal with or without colours. */
export const painter =
  (hasColor: boolean): Paint =>
  (tone, text) => {
    const [on, off] = codes[tone]
    return !hasColor || on === "" || text === "" ? text : `\u001b[${on}m${text}\u001b[${off}m`
  }

/** A cell of a table: a text, or a text with its look. */
export type Cell = string | readonly [Tone, string]

const textOf = (cell: Cell): string => printableLine(typeof cell === "string" ? cell : cell[1])
const toneOf = (cell: Cell): Tone => (typeof cell === "string" ? "plain" : cell[0])

/** Cuts a text to a width, with an ellipsis. */
export const clip = (text: string, width: number): string =>
  text.length <= width ? text : width <= 3 ? text.slice(0, Math.max(0, width)) : `${text.slice(0, width - 3)}...`

/**
 * Lines of a table: a heading and rows, in columns as wide as their widest cell. With a `width` the last column is cut, so
 * that no row takes two lines.
 */
export const table = (
  paint: Paint,
  heading: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  width = Infinity
): ReadonlyArray<string> => {
  const all: ReadonlyArray<ReadonlyArray<Cell>> = [heading.map((name): Cell => ["dim", name]), ...rows]
  const widths = heading.map((_, at) => Math.max(...all.map((row) => textOf(row[at] ?? "").length)))
  const last = heading.length - 1
  const left = widths.slice(0, last).reduce((sum, each) => sum + each + 2, 0)
  return all.map((row) =>
    row
      .map((cell, at) => {
        const text = textOf(cell)
        const shown = at === last ? clip(text, Math.max(8, width - left)) : text
        return paint(toneOf(cell), shown) + " ".repeat(at === last ? 0 : (widths[at] ?? 0) - shown.length)
      })
      .join("  ")
      .trimEnd()
  )
}

/** The age of something, in the largest unit that fits: `420ms`, `42s`, `7m`, `3h`, `12d`. */
export const age = (millis: number): string => {
  if (millis > 0 && millis < 1_000) return `${Math.round(millis)}ms`
  const seconds = Math.max(0, Math.round(millis / 1_000))
  if (seconds < 100) return `${seconds}s`
  if (seconds < 6_000) return `${Math.round(seconds / 60)}m`
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)}h`
  return `${Math.round(seconds / 86_400)}d`
}

/** A duration as messages have it: `250 ms`, `1.5 s`. */
export const duration = spoken

/** A count with its noun: `1 runner`, `2 runners`. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`
