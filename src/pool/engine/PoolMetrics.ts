/** Counts the calls, boots and losses of a pool. A call costs two additions: `PoolSeries` reads the figures on demand. */
import type * as Metric from "effect/Metric"
import type { Totals } from "../status/PoolEvent.ts"

/** Upper bounds of the histogram of call times, in milliseconds: powers of four from 1 ms to about a quarter of an hour. */
export const bounds = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576]

interface Timed {
  readonly submittedAt: number
  readonly dispatchedAt: number
  readonly cast: boolean
}

class Histogram {
  private readonly counts = new Array<number>(bounds.length + 1).fill(0)
  count = 0
  sum = 0
  private min = Infinity
  private max = -Infinity

  add(value: number): void {
    let slot = 0
    while (slot < bounds.length && value > bounds[slot]!) slot++
    this.counts[slot]!++
    this.count++
    this.sum += value
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  absorb(other: Histogram): void {
    other.counts.forEach((count, slot) => (this.counts[slot]! += count))
    this.count += other.count
    this.sum += other.sum
    this.min = Math.min(this.min, other.min)
    this.max = Math.max(this.max, other.max)
  }

  get state(): Metric.HistogramState {
    let below = 0
    const buckets = this.counts.map((count, slot): [number, number] => {
      below += count
      return [bounds[slot] ?? Infinity, below]
    })
    return {
      buckets,
      count: this.count,
      min: this.count === 0 ? 0 : this.min,
      max: this.count === 0 ? 0 : this.max,
      sum: this.sum
    }
  }
}

export class PoolMetrics {
  calls = 0
  casts = 0
  succeeded = 0
  failures = 0
  interrupted = 0
  castsFailed = 0
  boots = 0
  bootsFailed = 0
  runnersLost = 0
  /** Milliseconds that calls waited for a slot. */
  readonly queue = new Histogram()
  /** Milliseconds from sending a call to its result. */
  readonly run = new Histogram()
  /** Milliseconds that successful boots took. */
  readonly boot = new Histogram()

  submitted(cast: boolean): void {
    this.calls++
    if (cast) this.casts++
  }

  finished(call: Timed, now: number, succeeded: boolean): void {
    if (succeeded) this.succeeded++
    else this.failed(call.cast)
    this.queue.add(call.dispatchedAt - call.submittedAt)
    this.run.add(now - call.dispatchedAt)
  }

  failed(cast: boolean): void {
    this.failures++
    if (cast) this.castsFailed++
  }

  booted(millis: number, succeeded: boolean): void {
    this.boots++
    if (succeeded) this.boot.add(millis)
    else this.bootsFailed++
  }

  get totals(): Totals {
    return {
      calls: this.calls,
      succeeded: this.succeeded,
      failed: this.failures,
      interrupted: this.interrupted,
      casts: this.casts,
      castsFailed: this.castsFailed,
      boots: this.boots,
      bootsFailed: this.bootsFailed,
      runnersLost: this.runnersLost,
      queueMillis: this.queue.sum,
      runMillis: this.run.sum
    }
  }

  /** Adds the figures of another pool. */
  absorb(other: PoolMetrics): void {
    this.calls += other.calls
    this.casts += other.casts
    this.succeeded += other.succeeded
    this.failures += other.failures
    this.interrupted += other.interrupted
    this.castsFailed += other.castsFailed
    this.boots += other.boots
    this.bootsFailed += other.bootsFailed
    this.runnersLost += other.runnersLost
    this.queue.absorb(other.queue)
    this.run.absorb(other.run)
    this.boot.absorb(other.boot)
  }
}
