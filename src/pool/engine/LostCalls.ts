/**
 * Calls whose runner is gone and whose reason is not known yet. `UnansweredCalls.ts` adds them, and decides which of them
 * may be sent again.
 *
 * Each call waits for the reason of its runner's end. Then it fails with the reason, or is sent again.
 */
import { Disconnected, type RunnerExit } from "../../error/RunnerExit.ts"
import type { Call } from "./Call.ts"
import * as CallReasons from "./CallReasons.ts"
import type { PoolMetrics } from "./PoolMetrics.ts"
import type { PoolTimer } from "./PoolTimer.ts"

/** How long a runner whose end is not confirmed may still run a call: the keepalive of its connection and two seconds. */
const confirmMillis = 15_000 + 2_000

/** The rules for lost calls. `UnansweredCalls` implements them. */
export interface LostOwner {
  readonly cancelGrace: () => number
  /** The largest number of times that a call is sent. */
  readonly attempts: () => number
  /** Whether the call may be sent again. */
  readonly mayResend: (call: Call) => boolean
  /** Queues the call again. */
  readonly resend: (call: Call) => void
}

/**
 * A loss of a call. A call that is lost again gets a new one, so that a late reason of the first loss does not apply.
 */
interface Loss {
  readonly runner: string
}

export class LostCalls {
  private readonly losses = new Map<Call, Loss>()
  private readonly pool: string
  private readonly timer: PoolTimer
  private readonly metrics: PoolMetrics
  private readonly owner: LostOwner

  constructor(pool: string, timer: PoolTimer, metrics: PoolMetrics, owner: LostOwner) {
    this.pool = pool
    this.timer = timer
    this.metrics = metrics
    this.owner = owner
  }

  /** The number of waiting calls. */
  get size(): number {
    return this.losses.size
  }

  add(call: Call, runner: string): void {
    call.phase = "lost"
    this.losses.set(call, { runner })
  }

  delete(call: Call): void {
    this.losses.delete(call)
  }

  /** The name of the runner with which a call was lost. */
  runnerOf(call: Call): string | undefined {
    return this.losses.get(call)?.runner
  }

  /**
   * Ends the wait of calls, now that the reason of their runner's end is known.
   *
   * A call that may not be sent again fails with the reason. Any other call is sent again: at once if the runner is
   * confirmed to be gone, else after `confirmMillis` and `cancelGrace`, when the runner can run nothing any more.
   */
  tell(calls: ReadonlyArray<Call>, runner: string, exit: RunnerExit): void {
    const unsure: Array<readonly [Call, Loss]> = []
    for (const call of calls) {
      const loss = this.losses.get(call)
      if (loss?.runner !== runner) continue
      if (!this.owner.mayResend(call)) this.giveUp(call, runner, exit)
      else if (exit.gone) this.resend(call, loss)
      else unsure.push([call, loss])
    }
    if (unsure.length === 0) return
    this.timer.after(confirmMillis + this.owner.cancelGrace(), () => {
      for (const [call, loss] of unsure) this.resend(call, loss)
    })
  }

  /** Fails all remaining calls, because nothing more will be known of their runners. */
  tellAll(): void {
    for (const [call, { runner }] of this.losses)
      this.giveUp(call, runner, { reason: new Disconnected({}), gone: false })
  }

  private resend(call: Call, loss: Loss): void {
    if (this.losses.get(call) !== loss) return
    this.losses.delete(call)
    call.phase = "open"
    this.owner.resend(call)
  }

  private giveUp(call: Call, runner: string, exit: RunnerExit): void {
    this.losses.delete(call)
    this.timer.cancel(call)
    this.metrics.failed(call.cast)
    call.fail(CallReasons.runnerLost(this.pool, call, runner, exit, this.owner.attempts()))
  }
}
