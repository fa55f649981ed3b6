/**
 * Limits the log lines that one runner may cause per second. `OutputLines.ts` asks for lines of its output, and
 * `pool/life/LogArrival.ts` for lines that its logger sends.
 */

/** Lines that may be logged per second. After a second without lines as many may be logged at once. */
export const rate = 1000

/** A long line counts as one more for each of these bytes. */
const bytesPerLine = 1024

/** The number of lines that may be logged now. Stdout and stderr of one runner share a budget. */
export class LineBudget {
  /** Bytes that were dropped and not reported yet. */
  leftOut = 0
  private left = rate
  private at: number
  private readonly now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.now = now
    this.at = now()
  }

  /** Whether a line of that many bytes may be logged. */
  take(bytes: number): boolean {
    const now = this.now()
    this.left = Math.min(rate, this.left + ((now - this.at) / 1000) * rate)
    this.at = now
    // After dropped lines, a tenth of the rate must be free. Otherwise each logged line would come with its own report
    // of dropped bytes.
    if (this.left < (this.leftOut === 0 ? 1 : rate / 10)) return false
    this.left -= 1 + bytes / bytesPerLine
    return true
  }
}
