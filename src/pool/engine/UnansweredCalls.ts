/**
 * Decides whether a call that its runner did not answer is sent again, at most `attempts` times in all, or fails.
 *
 * A call has no answer if its runner refused or cut the call, or if its session ended. A call that may have ended its runner
 * becomes a suspect, which may not share a runner. `LostCalls.ts` holds the calls whose session ended until the reason is
 * known, and then asks this module (`mayResend`, `resend`).
 */
import * as Refusal from "../../call/Refusal.ts"
import { Disconnected, type ExitReason, type RunnerExit } from "../../error/RunnerExit.ts"
import type { Settings } from "../option/PoolSettings.ts"
import type * as Policy from "../policy/Policy.ts"
import { Call } from "./Call.ts"
import * as CallReasons from "./CallReasons.ts"
import type { EngineParts, EngineRunner } from "./EngineParts.ts"
import { LostCalls } from "./LostCalls.ts"
import type { PoolTimer } from "./PoolTimer.ts"

const wentEarly = new Disconnected({ detail: "it had to leave before the call ended" })
const refusedIt = new Disconnected({ detail: "it refused the call, because it drains" })

/** The engine that owns the calls. */
interface Engine {
  readonly runners: ReadonlyMap<number, EngineRunner>
  readonly settings: Settings
  readonly state: Policy.PolicyState
  readonly now: () => number
  readonly step: (event: Policy.Event) => void
  readonly release: (call: Call, now: number, completed: boolean) => void
}

export class UnansweredCalls {
  /** Calls whose session ended, until the reason is known or they are sent again. */
  readonly lost: LostCalls
  private readonly engine: Engine
  private readonly parts: EngineParts
  private readonly timer: PoolTimer

  constructor(engine: Engine, parts: EngineParts, timer: PoolTimer) {
    this.engine = engine
    this.parts = parts
    this.timer = timer
    this.lost = new LostCalls(parts.pool, timer, parts.metrics, {
      cancelGrace: () => engine.settings.cancelGrace,
      attempts: () => engine.settings.attempts,
      mayResend: (call) => this.mayRunAgain(call) && this.hasAttempt(call),
      resend: (call) => this.requeue(call, engine.now(), false)
    })
  }

  /** Handles the refusal of a call: by a runner that drains, or of a result that is too large. */
  refused(call: Call, now: number, body: Buffer, runner: string): void {
    const refusal = Refusal.decode(body)
    if (Refusal.isDraining(refusal)) {
      if (this.requeue(call, now, true)) return
      // Reported before the slot is free. Otherwise the runner would get, and refuse, the next call.
      this.engine.step({ _tag: "RunnerDraining", now, runner: call.runner })
      return this.giveUp(call, now, runner, { reason: refusedIt, gone: false })
    }
    this.engine.release(call, now, false)
    this.parts.metrics.failed(call.cast)
    call.fail(Refusal.reasonOf(call.fn.name, refusal, runner))
  }

  /** Requeues a call that its runner stopped because the runner had to end. Nothing of the call runs any more. */
  cut(call: Call, now: number, runner: string, leavesFor: ExitReason | undefined): void {
    call.mayHaveRun = true
    if (this.mayRunAgain(call) && this.requeue(call, now, true)) return
    this.giveUp(call, now, runner, { reason: leavesFor ?? wentEarly, gone: false })
  }

  /**
   * Ends the session of a runner, which leaves its calls unanswered.
   *
   * A call that surely did not run is queued at once, as far as `attempts` allows. All others become lost calls and are
   * returned: they wait until `lost.tell` gets the reason of the runner's end.
   */
  sessionOver(index: number): ReadonlyArray<Call> {
    const { engine, timer } = this
    const runner = engine.runners.get(index)
    if (runner?.handle === undefined) return []
    const { handle } = runner
    const now = engine.now()
    engine.step({ _tag: "Lost", now, runner: index })
    const unanswered: Array<Call> = []
    for (const call of handle.calls) {
      if (!(call instanceof Call)) continue
      if (call.phase === "stopping") {
        timer.cancel(call)
        call.end()
      } else if (call.phase === "open") {
        const wasSent = handle.wasSent(call)
        if (!wasSent) call.sent--
        else if (!handle.saidGoodbye) call.mayHaveRun = true
        const didNotRun = !wasSent || handle.saidGoodbye
        if (didNotRun && this.requeue(call, now, true)) continue
        this.lost.add(call, runner.id)
        unanswered.push(call)
      }
    }
    return unanswered
  }

  private mayRunAgain(call: Call): boolean {
    return call.mayRunAgain && !this.engine.state.closed
  }

  /** Whether the call was sent fewer times than `attempts` allows. */
  private hasAttempt(call: Call): boolean {
    return call.sent < this.engine.settings.attempts
  }

  /**
   * Queues a call again. Returns false if the call was sent `attempts` times. An attempt counts also if the runner says
   * that the call did not run: a call that ends its runners would otherwise be sent for ever.
   */
  private requeue(call: Call, now: number, keepsTurn: boolean): boolean {
    if (!this.hasAttempt(call)) return false
    const isLast = call.sent === this.engine.settings.attempts - 1
    call.isSuspect = call.mayHaveRun && !call.nested && isLast
    if (call.expiry !== undefined) this.timer.schedule(call, call.expiry)
    this.engine.step({ _tag: "Requeue", now, ticket: call, keepsTurn })
    return true
  }

  /** Fails a call that still has its slot. */
  private giveUp(call: Call, now: number, runner: string, exit: RunnerExit): void {
    this.engine.release(call, now, false)
    this.parts.metrics.failed(call.cast)
    call.fail(CallReasons.runnerLost(this.parts.pool, call, runner, exit, this.engine.settings.attempts))
  }
}
