/** By when this process must have ended, as far as a drain has told: what waits there are share what is left. */

/** What has to happen after the last call has ended: runners leave, pods and Secrets are deleted. Milliseconds. */
export const shutdownReserve = 8_000

export class ShutdownDeadline {
  private at = -Infinity
  private readonly uptime: () => number

  constructor(uptime: () => number) {
    this.uptime = uptime
  }

  /** The calls of a pool are cut so many milliseconds from now at the latest; of several pools, the last counts. */
  drains(budget: number): void {
    this.at = Math.max(this.at, this.uptime() + budget + shutdownReserve)
  }

  /** What a wait may take of the milliseconds that it would, so that `kept` are left for what comes after. */
  grant(millis: number, kept = 0): number {
    const left = this.at - this.uptime()
    // over: that was the drain of one pool, in a process that goes on
    return left <= 0 ? millis : Math.max(0, Math.min(millis, left - kept))
  }
}
