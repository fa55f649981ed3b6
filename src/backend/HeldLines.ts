/**
 * Holds the lines of a runner's stderr for a moment, so that the output of a crash becomes one entry of the log.
 *
 * The lines of a runner that goes on are logged one by one, a moment later. The lines of a runner that ends meanwhile become
 * part of the report of its end, or one entry if no report contains them.
 */
import { told } from "./OutputTail.ts"

/** Milliseconds that a line is held. A process that throws has written its last words within them. */
const heldFor = 100

/**
 * Milliseconds that last words wait for the end of the process, which takes long on a busy computer. After the end they wait
 * for a report.
 */
const lastHeldFor = 5_000

/** The line that Node writes last before it ends for an exception that nothing caught. */
const isLast = (line: string): boolean => /^Node\.js v\d/.test(line)

/** The largest number of held lines. More lines are not the last words of a crash, and are logged at once. */
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
    if (this.hasEnded) return
    if (isLast(line)) this.hold(lastHeldFor)
    else if (this.timer === undefined) this.hold(heldFor)
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

  /** Logs the held lines as one entry. */
  rest(): void {
    clearTimeout(this.timer)
    const { lines } = this
    this.lines = []
    if (lines.length > 0) this.log(lines.join("\n  "))
  }

  private hold(millis: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.each(), millis)
    this.timer.unref()
  }

  private each(): void {
    this.timer = undefined
    const { lines } = this
    this.lines = []
    for (const line of lines) this.log(line)
  }
}
