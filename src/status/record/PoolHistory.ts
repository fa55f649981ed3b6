/** The figures of a pool, one entry each tick. */
import type { PoolStatus } from "../../pool/status/PoolEvent.ts"
import { limits, type PoolDocument } from "./StatusDocument.ts"
import { tickMillis } from "./Tick.ts"

export class PoolHistory {
  private readonly waiting: Array<number> = []
  private readonly busy: Array<number> = []
  private readonly runners: Array<number> = []
  private readonly ended: Array<number> = []
  private readonly failed: Array<number> = []
  private endedBefore: number | undefined
  private failedBefore = 0

  tick({ booting, busySlots, ready, totals, waiting }: PoolStatus): void {
    const ended = totals.succeeded + totals.failed + totals.interrupted
    this.push(this.waiting, waiting)
    this.push(this.busy, busySlots)
    this.push(this.runners, ready + booting)
    this.push(this.ended, this.endedBefore === undefined ? 0 : ended - this.endedBefore)
    this.push(this.failed, this.endedBefore === undefined ? 0 : totals.failed - this.failedBefore)
    this.endedBefore = ended
    this.failedBefore = totals.failed
  }

  private push(series: Array<number>, value: number): void {
    series.push(value)
    if (series.length > limits.history) series.shift()
  }

  read(): PoolDocument["history"] {
    const { busy, ended, failed, runners, waiting } = this
    return {
      every: tickMillis,
      waiting: [...waiting],
      busy: [...busy],
      runners: [...runners],
      ended: [...ended],
      failed: [...failed]
    }
  }
}
