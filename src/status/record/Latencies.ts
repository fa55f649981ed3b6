/**
 * The times of calls of the last 5 to 10 minutes, as a histogram of fixed size.
 *
 * Two windows of five minutes: calls count in the first, and percentiles read both. A bucket is 19 % wider than the one
 * before, so that a percentile is at most 9 % off.
 */

import { rounded } from "./StatusDocument.ts"

const windowMillis = 300_000
/** Buckets of an octave. */
const perOctave = 4
/** The upper bound of the first bucket, in milliseconds. */
const least = 1 / 16
/** Up to two days. A longer call counts in the last bucket. */
const size = 128

const bucketOf = (millis: number): number =>
  millis <= least ? 0 : Math.min(size - 1, Math.ceil(Math.log2(millis / least) * perOctave))

/** The geometric middle of a bucket, in milliseconds. */
const middleOf = (bucket: number): number => least * 2 ** ((bucket - 0.5) / perOctave)

export class Latencies {
  private recent = new Uint32Array(size)
  private before = new Uint32Array(size)
  private recentMax = 0
  private beforeMax = 0
  private turnsAt: number

  constructor(now: number) {
    this.turnsAt = now + windowMillis
  }

  add(millis: number, now: number): void {
    if (now >= this.turnsAt) this.turn(now)
    this.recent[bucketOf(millis)]!++
    if (millis > this.recentMax) this.recentMax = millis
  }

  /** The percentiles, in milliseconds; undefined without a call in that time. */
  read(now: number): { readonly p50: number; readonly p99: number; readonly max: number } | undefined {
    if (now >= this.turnsAt) this.turn(now)
    let count = 0
    for (let bucket = 0; bucket < size; bucket++) count += this.recent[bucket]! + this.before[bucket]!
    if (count === 0) return undefined
    const max = Math.max(this.recentMax, this.beforeMax)
    const at = (share: number) => rounded(this.percentile(share, count, max))
    return { p50: at(0.5), p99: at(0.99), max: rounded(max) }
  }

  private percentile(share: number, count: number, max: number): number {
    let left = Math.ceil(share * count)
    for (let bucket = 0; bucket < size; bucket++) {
      left -= this.recent[bucket]! + this.before[bucket]!
      if (left <= 0) return bucket === size - 1 ? max : Math.min(max, middleOf(bucket))
    }
    return max
  }

  private turn(now: number): void {
    const isLong = now >= this.turnsAt + windowMillis
    const { before } = this
    this.before = isLong ? before.fill(0) : this.recent
    this.beforeMax = isLong ? 0 : this.recentMax
    this.recent = isLong ? this.recent.fill(0) : before.fill(0)
    this.recentMax = 0
    this.turnsAt = now + windowMillis
  }
}
