/**
 * Holds the lines of a runner's stderr for a moment, so that the output of a crash becomes one entry of the log.
 *
 * A runner that goes on gets each line logged for itself, a moment later. Of a runner that ends meanwhile, the lines are part
 * of the report of its end, or one entry where no report has them.
 */
import { told } from "./OutputTail.ts"

/** Milliseconds that a line is held. A process that throws ends well within them. */
const heldFor = 100

/** Lines that are held at most. More are no last words, and are logged at once. */
const mostHeld = 200

export class HeldLines {
  private lines: Array<string> = []
  private timer: NodeJS.Timeout | undefined
  private hasEnded = false
  private readonly log: (line: string) => void

  constructor(log: (line: string) => void) {
    this.log = log
  }

  readonly push = (line: string): void => {
    this.lines.push(line)
    if (this.lines.length > mostHeld) return this.each()
    if (this.hasEnded || this.timer !== undefined) return
    this.timer = setTimeout(() => this.each(), heldFor)
    this.timer.unref()
  }

  /** Keeps the lines that are held, because the process has ended: they are its last words. */
  keep(): void {
    this.hasEnded = true
    clearTimeout(this.timer)
  }

  /** Drops the last lines, which are in a report of the end. */
  reported(): void {
    this.lines.splice(-told)
    this.rest()
  }

  /** Logs what is held as one entry. */
  rest(): void {
    clearTimeout(this.timer)
    const { lines } = this
    this.lines = []
    if (lines.length > 0) this.log(lines.join("\n  "))
  }

  private each(): void {
    this.timer = undefined
    const { lines } = this
    this.lines = []
    for (const line of lines) this.log(line)
  }
}
