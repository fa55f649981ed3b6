/** The pause after failed boots: one for the whole pool, twice as long each time, up to a cap, with jitter. */
import type { Options } from "./Step.ts"
import type { Alarm } from "./RunnerTable.ts"

/** When boots may start again, and what the calls that wait for them are told. */
export class Backoff {
  /** Boots failed in a row. */
  failures = 0
  /** No boot starts before this time. */
  until = -Infinity
  /** How many pauses there were; a boot remembers it, so that a failure of an older one is known as such. */
  epoch = 0
  /** The cause is one that does not heal by itself. */
  permanent = false
  cause: unknown = undefined
  readonly alarm: Alarm = { kind: "backoff", runner: undefined, at: 0, heapIndex: -1 }
  private rounds = 0
  private seed: number

  constructor(seed: number) {
    this.seed = seed | 0
  }

  runs(now: number): boolean {
    return now < this.until
  }

  /** Notes a failed boot; true if a new pause begins, which ends at `until`. */
  fail(
    failed: { readonly epoch: number; readonly transient: boolean; readonly cause: unknown },
    options: Options["backoff"],
    now: number
  ): boolean {
    this.failures++
    const running = this.runs(now)
    if (!running) this.permanent = false
    if (!failed.transient) {
      this.permanent = true
      this.cause = failed.cause
    }
    // boots that began before the last pause did are one outage with it: they may start a pause, not lengthen the next
    const fresh = failed.epoch === this.epoch
    if (running && !fresh) return false
    if (fresh || this.rounds === 0) this.rounds++
    this.epoch++
    // 1 to 2 times the base, 2 to 4, 4 to 8 … : never below the base nor above the cap, and jitter at both ends, or
    // the parents that met one outage would all come back at once
    const shortest = Math.max(options.base, Math.min(options.cap / 2, options.base * 2 ** (this.rounds - 1)))
    this.until = now + Math.min(options.cap, shortest * (1 + this.random()))
    return true
  }

  /** Forgets everything: a boot succeeded. */
  reset(): void {
    this.failures = 0
    this.rounds = 0
    this.until = -Infinity
    this.permanent = false
    this.cause = undefined
  }

  // mulberry32: the state of the generator is part of the pool's state, so that a schedule replays
  private random(): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
