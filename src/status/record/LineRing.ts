/** The latest lines that the runners of a pool have logged, within a bounded number of characters. */
import type { LogLine } from "../../wire/LogLine.ts"

/** A line of a runner, as `GET /logs` sends it. */
export interface RunnerLine {
  readonly at: number
  readonly level: string
  readonly pool: string
  readonly runner: string
  readonly function?: string
  readonly message: string
}

const mostLines = 1_000
const mostChars = 256 * 1024

const textOf = (part: unknown): string => (typeof part === "string" ? part : (JSON.stringify(part) ?? String(part)))

export const lineOf = (pool: string, runner: string, line: LogLine): RunnerLine => ({
  at: line.at,
  level: line.level,
  pool,
  runner,
  ...(line.function === undefined ? {} : { function: line.function }),
  message: [...line.message.map(textOf), ...(line.cause === undefined ? [] : [line.cause])].join(" ")
})

export class LineRing {
  private readonly lines: Array<RunnerLine> = []
  private chars = 0

  add(line: RunnerLine): void {
    this.lines.push(line)
    this.chars += line.message.length
    let dropped = 0
    while (this.lines.length - dropped > mostLines || this.chars > mostChars) {
      this.chars -= this.lines[dropped]!.message.length
      dropped++
    }
    if (dropped > 0) this.lines.splice(0, dropped)
  }

  read(): ReadonlyArray<RunnerLine> {
    return [...this.lines]
  }
}
