/** Deadline of this process during a drain. Every wait at shutdown takes its share of the time left. */

/** Milliseconds kept for what follows the end of the last call: runners leave, pods and Secrets are deleted. */
export const shutdownReserve = 8_000

/** Milliseconds of the reserve that no wait gets: on a busy computer the process itself takes that long to end. */
const endTime = 500

export class ShutdownDeadline {
  private at = -Infinity
  private readonly uptime: () => number

  /** `uptime` gives milliseconds on the monotonic clock. */
  constructor(uptime: () => number) {
    this.uptime = uptime
  }

  /**
   * Records that a pool cuts its calls at the latest `budget` milliseconds from now. The last deadline of several pools
   * applies.
   */
  drains(budget: number): void {
    this.at = Math.max(this.at, this.uptime() + budget + shutdownReserve - endTime)
  }

  /** The milliseconds that a wait may take of the `millis` that it asks for, so that `kept` are left for what follows. */
  grant(millis: number, kept = 0): number {
    const left = this.at - this.uptime()
    // A deadline in the past belongs to a pool that has closed, in a process that goes on.
    return left <= 0 ? millis : Math.max(0, Math.min(millis, left - kept))
  }
}
