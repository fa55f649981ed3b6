/**
 * Limits the cost of a runner's nested calls for their parent.
 *
 * A nested call without a result (a refusal, an unknown function, a failed cast, a cancel) has a price. A runner in
 * debt is not read until time has paid the debt. Nested frames are handled for a limited time per turn of the event
 * loop. A runner that does not read its answers is not read either.
 */
import type { Link } from "../../wire/Link.ts"
import type { PoolTimer } from "../engine/PoolTimer.ts"

/** Failures that a runner may cause per second, and at once after a quiet time. */
export const failuresPerSecond = 300
const burst = 100

/** The price of a cancel, in failures. */
export const cancelPrice = 0.25

/**
 * Milliseconds that nested frames may take of one turn of the event loop. A pause of `quiet` between two frames means that
 * the loop has turned.
 */
const slice = 10
const quiet = 5

/** Bytes that may wait in the connection before its nested calls are not read any more. */
export const mostUnread = 4 * 1024 * 1024

/** Milliseconds after which a runner is asked again whether it has taken its answers. */
const askAgain = 5

export class NestedToll {
  private readonly link: Pick<Link, "buffered" | "closed" | "later" | "pause" | "resume">
  private readonly timer: Pick<PoolTimer, "after" | "now">
  private credit = burst
  private at: number
  /** The start of the frames of this turn, and of the latest of them. */
  private began = -Infinity
  private latest = -Infinity
  private isStopped = false

  constructor(link: NestedToll["link"], timer: NestedToll["timer"]) {
    this.link = link
    this.timer = timer
    this.at = timer.now()
  }

  /** Counts a frame, before it is handled. */
  onFrame(): void {
    if (this.link.buffered > mostUnread) return this.stopReading()
    const now = performance.now()
    if (now - this.latest > quiet) this.began = now
    this.latest = now
    if (now - this.began > slice) this.stopReading()
  }

  /** Charges the price of a nested call without a result. */
  charge(price: number): void {
    const now = this.timer.now()
    this.credit = Math.min(burst, this.credit + ((now - this.at) * failuresPerSecond) / 1000) - price
    this.at = now
    if (this.credit < 0) this.stopReading()
  }

  private stopReading(): void {
    if (this.isStopped) return
    this.isStopped = true
    this.link.pause()
    this.link.later(this.goOn)
  }

  private readonly goOn = (): void => {
    if (this.link.closed) return
    const wait = this.link.buffered > mostUnread ? askAgain : this.debt()
    if (wait > 0) return void this.timer.after(wait, this.goOn)
    this.isStopped = false
    this.began = -Infinity
    this.latest = -Infinity
    this.link.resume()
  }

  /**
   * Milliseconds until the debt is paid and half of a burst is saved, because reading for one frame at a time costs
   * more.
   */
  private debt(): number {
    if (this.credit >= 0) return 0
    const credit = this.credit + ((this.timer.now() - this.at) * failuresPerSecond) / 1000
    return Math.max(0, Math.ceil(((burst / 2 - credit) * 1000) / failuresPerSecond))
  }
}
