/**
 * The pause after failed boots, one for the whole pool. Each failure of a boot that began after the last pause doubles the
 * pause, up to a cap, with jitter. `reset` ends the outage.
 */
import type { Options } from "./Step.ts"
import type { Alarm } from "./RunnerTable.ts"

/** A boot that failed, or a runner that ended soon after it was ready. */
export interface FailedBoot {
  /** `Backoff.epoch` when the boot began. */
  readonly epoch: number
  /** The time when the boot started. */
  readonly bootedAt: number
  readonly transient: boolean
  readonly cause: unknown
  /** Whether the runner was ready before it ended. */
  readonly wasReady: boolean
}

/** The state of an outage of boots: when boots may start again, since when all of them fail, and why. */
export class Backoff {
  /** The number of boots that failed in a row. */
  failures = 0
  /** No boot starts before this time. */
  until = -Infinity
  /** The number of pauses so far. Each boot remembers it, so that a failure of an older boot is recognised. */
  epoch = 0
  /** Whether waiting cannot heal the cause. */
  permanent = false
  /** The cause of the last failed boot. A permanent cause stays for as long as its pause. */
  cause: unknown = undefined
  /**
   * The time when the first boot of the outage started. Undefined while a runner serves, or while no runner is wanted.
   */
  since: number | undefined = undefined
  /** `PolicyState.nextSeq` at the last failed boot. Callers with an earlier turn have waited for a boot in vain. */
  failedAtSeq = 0
  /** The time when the last boot failed, or the last runner ended soon after it was ready. */
  failedAt = -Infinity
  /** Whether runners end soon after they are ready. A completed call then ends the outage, not a successful boot. */
  isLooping = false
  /** Rings when the pause is over. */
  readonly alarm: Alarm = { kind: "backoff", runner: undefined, at: 0, heapIndex: -1 }
  /** Rings when callers have waited for `bootPatience`. */
  readonly patience: Alarm = { kind: "patience", runner: undefined, at: 0, heapIndex: -1 }
  private rounds = 0
  private seed: number

  constructor(seed: number) {
    this.seed = seed | 0
  }

  /** Whether a pause is running. */
  runs(now: number): boolean {
    return now < this.until
  }

  /** Notes a failed boot. Returns true if a new pause begins, which ends at `until`. */
  fail(failed: FailedBoot, options: Options["backoff"], now: number): boolean {
    this.failures++
    this.failedAt = now
    this.since ??= failed.bootedAt
    this.isLooping ||= failed.wasReady
    const running = this.runs(now)
    if (!running) this.permanent = false
    if (!failed.transient) this.permanent = true
    if (!failed.transient || !this.permanent) this.cause = failed.cause
    // Boots that started before the last pause belong to its outage. They may start a pause, but not lengthen the next
    // one.
    const fresh = failed.epoch === this.epoch
    if (failed.wasReady && !(fresh && this.failures > 1)) {
      // The first runner that ends early, and runners of the same epoch, are replaced at once: their end may be an
      // accident. Only if their successors end early too, it is a crash loop.
      if (fresh) this.epoch++
      return false
    }
    if (running && !fresh) return false
    if (fresh || this.rounds === 0) this.rounds++
    this.epoch++
    // The pause lasts 1 to 2 times the base, then 2 to 4, 4 to 8 and so on, within the base and the cap. The jitter
    // reaches both ends: the parents that met one outage would otherwise all come back at once.
    const shortest = Math.max(options.base, Math.min(options.cap / 2, options.base * 2 ** (this.rounds - 1)))
    this.until = now + Math.min(options.cap, shortest * (1 + this.random()))
    return true
  }

  /** Forgets the outage. */
  reset(): void {
    this.failures = 0
    this.rounds = 0
    this.until = -Infinity
    this.permanent = false
    this.cause = undefined
    this.since = undefined
    this.isLooping = false
  }

  // mulberry32: the generator's state is part of the pool's state, so that a schedule can be replayed.
  private random(): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
