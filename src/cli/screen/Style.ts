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

/** Cuts a painted line to a width. Its colour codes take no room and are all kept, so that no look goes on after it. */
export const clipPainted = (line: string, width: number): string => {
  let room = width
  let kept = ""
  for (const [part] of line.matchAll(painted)) {
    if (part.startsWith(escape)) kept += part
    else if (room-- > 0) kept += part
  }
  return kept
}

const escape = "\u001b"
const painted = new RegExp(`${escape}\\[[0-9;]*m|[^]`, "gu")

/** Splits a text at its spaces into lines of at most `most` characters, and of one at least. A longer word is cut. */
export const wrapped = (text: string, most: number): ReadonlyArray<string> => {
  // Without a character in each line there would be no last line.
  const width = Math.max(1, most)
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ""
    }
    line += line === "" ? word : ` ${word}`
    while (line.length > width) {
      lines.push(line.slice(0, width))
      line = line.slice(width)
    }
  }
  return line === "" ? lines : [...lines, line]
}

/** A number, a ratio or a duration: columns of figures are aligned to the right. */
const figure = /^[\d.]+(\/\d+)?( ?(ms|s|min|m|h|d|kB))?$/

const isFigures = (texts: ReadonlyArray<string>): boolean =>
  texts.every((text) => /^(-|ever)?$/.test(text) || figure.test(text))

/** The column of each heading: its width and its alignment. */
const columnsOf = (heading: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>) =>
  heading.map((name, at) => {
    const texts = rows.map((row) => textOf(row[at] ?? ""))
    return {
      width: Math.max(name.length, ...texts.map(({ length }) => length)),
      isRight: isFigures(texts)
    }
  })

/** Indentation of the lines that hold the text of a cell without room. */
const indent = 4

/**
 * Lines of a table: a heading and rows, in columns as wide as their widest cell. With a `width` the last column is cut. With
 * `isWhole`, a text that had to be cut follows whole below the first row that has it.
 */
export const table = (
  paint: Paint,
  heading: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  width = Infinity,
  isWhole = false
): ReadonlyArray<string> => {
  const columns = columnsOf(heading, rows)
  const last = heading.length - 1
  const left = columns.slice(0, last).reduce((sum, each) => sum + each.width + 2, 0)
  const room = Math.max(8, width - left)
  const told = new Set<string>()
  const line = (row: ReadonlyArray<Cell>, isBelow: boolean): string =>
    row
      .map((cell, at) => {
        if (at === last && isBelow) return ""
        const { isRight, width } = columns[at]!
        const shown = at === last ? clip(textOf(cell), room) : textOf(cell)
        const gap = " ".repeat(width - shown.length)
        const text = paint(toneOf(cell), shown)
        return isRight ? gap + text : text + gap
      })
      .join("  ")
      .trimEnd()
  const below = (cell: Cell): ReadonlyArray<string> =>
    wrapped(textOf(cell), width - indent).map((text) => " ".repeat(indent) + paint(toneOf(cell), text))
  return [
    line(
      heading.map((name): Cell => ["dim", name]),
      false
    ),
    ...rows.flatMap((row) => {
      const cell = row[last] ?? ""
      const text = textOf(cell)
      const isBelow = isWhole && text.length > room && !told.has(text)
      told.add(text)
      return [line(row, isBelow), ...(isBelow ? below(cell) : [])]
    })
  ]
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
