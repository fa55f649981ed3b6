/**
 * Logs the lines of a runner's output: lines up to `lineLimit`, and as many per second as `LineBudget.ts` allows.
 *
 * Reading never waits for the log, because a runner blocks if its output is not read. The bytes of dropped lines are
 * counted and reported.
 */
import { printableLine } from "../error/PeerText.ts"
import { type LineBudget, rate } from "./LineBudget.ts"

/** The longest line in bytes. The rest of a longer line is cut. */
export const lineLimit = 16 * 1024

const newline = 10
const none = Buffer.alloc(0)

export class OutputLines {
  private carry: Buffer = none
  /** Whether the unfinished line was cut already. */
  private cut = false
  private readonly budget: LineBudget
  private readonly log: (line: string) => void

  constructor(budget: LineBudget, log: (line: string) => void) {
    this.budget = budget
    this.log = log
  }

  push(chunk: Buffer): void {
    let from = 0
    for (let to = chunk.indexOf(newline); to !== -1; to = chunk.indexOf(newline, from)) {
      if (!this.budget.take(this.carry.length + to - from)) return this.leaveOut(chunk.subarray(from))
      this.extend(chunk.subarray(from, to))
      this.finish()
      from = to + 1
    }
    this.extend(chunk.subarray(from))
  }

  /** The output has ended, perhaps within a line. */
  end(): void {
    if (this.carry.length > 0) this.finish()
    else this.report()
  }

  private extend(bytes: Buffer): void {
    if (bytes.length === 0) return
    const space = lineLimit - this.carry.length
    if (bytes.length > space) this.cut = true
    // `Buffer.concat` copies also if the carry is empty: a view would keep the whole chunk alive.
    if (space > 0) this.carry = Buffer.concat([this.carry, bytes.subarray(0, space)])
  }

  /** Drops bytes without counting lines, which would cost three times the reading in a flood. */
  private leaveOut(bytes: Buffer): void {
    const end = bytes.lastIndexOf(newline) + 1
    this.budget.leftOut += this.carry.length + end
    this.reset()
    this.extend(bytes.subarray(end))
  }

  private finish(): void {
    this.report()
    const text = printableLine(this.carry.toString("utf8").trimEnd())
    if (text !== "") this.log(this.cut ? `${text}... (cut at ${lineLimit} bytes)` : text)
    this.reset()
  }

  private reset(): void {
    this.carry = none
    this.cut = false
  }

  private report(): void {
    const { leftOut } = this.budget
    this.budget.leftOut = 0
    if (leftOut > 0) this.log(`(${leftOut} bytes of output were left out here: more than ${rate} lines a second)`)
  }
}
