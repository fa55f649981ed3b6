/**
 * Sends log lines to one viewer as they come, and tells a viewer that reads too slowly how many lines were dropped.
 *
 * Lines of one turn are sent as one chunk: a runner's frame brings many of them at once.
 */
import type { RunnerLine } from "./record/LineRing.ts"
import type { Send } from "./StatusFeed.ts"

/** Characters of lines that are sent before the turn is over, so that a long turn fills no memory. */
const mostChars = 64 * 1024
/** Milliseconds until a slow viewer is tried again. */
const pause = 100

export class LineFollower {
  private readonly send: Send
  private lines: Array<string> = []
  private chars = 0
  private dropped = 0
  private turn: NodeJS.Immediate | undefined
  private retry: NodeJS.Timeout | undefined

  constructor(send: Send) {
    this.send = send
  }

  /** Adds an encoded line, which ends with a line break. */
  add(line: string): void {
    this.lines.push(line)
    this.chars += line.length
    if (this.chars >= mostChars) this.flush()
    else this.turn ??= setImmediate(() => this.flush())
  }

  /** Forgets the lines that wait. */
  close(): void {
    clearImmediate(this.turn)
    clearTimeout(this.retry)
  }

  private flush(): void {
    clearImmediate(this.turn)
    this.turn = undefined
    const { lines } = this
    this.lines = []
    this.chars = 0
    const note = this.dropped === 0 ? "" : `${JSON.stringify(missing(this.dropped))}\n`
    if (note === "" && lines.length === 0) return
    if (this.send(Buffer.from(note + lines.join("")))) this.dropped = 0
    else this.dropped += lines.length
    clearTimeout(this.retry)
    // The note must reach the viewer also if no further line comes.
    this.retry = this.dropped === 0 ? undefined : setTimeout(() => this.flush(), pause).unref()
  }
}

/** The line of the parent itself in place of lines that were dropped. */
const missing = (dropped: number): RunnerLine & { readonly dropped: number } => ({
  at: Date.now(),
  level: "Warn",
  pool: "",
  runner: "",
  message: `${dropped} ${dropped === 1 ? "line was" : "lines were"} dropped here: this viewer reads too slowly`,
  dropped
})
