/** Calls whose runner went: they wait to be told why, or for their turn again. */
import { Disconnected, type RunnerExit } from "../../error/RunnerExit.ts"
import type { Call } from "./Call.ts"
import * as CallReasons from "./CallReasons.ts"
import type { PoolMetrics } from "./PoolMetrics.ts"
import type { PoolTimer } from "./PoolTimer.ts"

/** How long a runner whose end is not confirmed may still run a call: keepalive of its connection and two more seconds. */
const confirmMillis = 15_000 + 2_000

/** What becomes of them is the engine's affair. */
export interface LostOwner {
  readonly cancelGrace: () => number
  /** Whether the pool is closed: nothing runs again. */
  readonly isClosed: () => boolean
  /** The call has its turn again. */
  readonly again: (call: Call) => void
}

export class LostCalls {
  private readonly runners = new Map<Call, string>()
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

  add(call: Call, runner: string): void {
    call.phase = "lost"
    this.runners.set(call, runner)
  }

  delete(call: Call): void {
    this.runners.delete(call)
  }

  /** Name of the runner that went with it. */
  runnerOf(call: Call): string | undefined {
    return this.runners.get(call)
  }

  /** Tells why their runner went, but for idempotent calls: those have their turn again once nothing can still run. */
  tell(calls: ReadonlyArray<Call>, runner: string, exit: RunnerExit): void {
    const isClosed = this.owner.isClosed()
    for (const call of calls) {
      if (call.phase !== "lost") continue
      if (!call.mayRunAgain || isClosed) this.giveUp(call, runner, exit)
      else if (exit.gone) this.again(call)
    }
    const unsure = exit.gone ? [] : calls.filter((call) => call.phase === "lost")
    if (unsure.length === 0) return
    this.timer.after(confirmMillis + this.owner.cancelGrace(), () => unsure.forEach((call) => this.again(call)))
  }

  /** Tells all that are left that nothing more is known. */
  tellAll(): void {
    for (const [call, runner] of this.runners) this.giveUp(call, runner, { reason: new Disconnected({}), gone: false })
  }

  private again(call: Call): void {
    if (call.phase !== "lost" || !call.mayRunAgain) return
    call.phase = "open"
    this.runners.delete(call)
    this.owner.again(call)
  }

  private giveUp(call: Call, runner: string, exit: RunnerExit): void {
    this.runners.delete(call)
    this.timer.cancel(call)
    this.metrics.failed(call.cast)
    call.fail(CallReasons.runnerLost(this.pool, call, runner, exit))
  }
}
