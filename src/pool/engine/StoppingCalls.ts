/**
 * Decides what happens to the slot and the runner of a function that does not stop within `cancelGrace`.
 *
 * Such a call is stuck: its caller returns, its slot stays taken, and its runner takes no new calls. The runner is killed at
 * once if it answers no ping or has only stuck calls, and otherwise after `drainTimeout`.
 */
import type * as Effect from "effect/Effect"
import { tellStopped, untilStopped } from "../../call/StopWaiters.ts"
import { Call } from "./Call.ts"
import type { EngineParts, EngineRunner } from "./EngineParts.ts"
import type { Settings } from "../option/PoolSettings.ts"
import type * as Policy from "../policy/Policy.ts"
import type { PoolTimer } from "./PoolTimer.ts"

/** The engine that owns the calls. */
interface Engine {
  readonly runners: ReadonlyMap<number, EngineRunner>
  readonly settings: Settings
  readonly step: (event: Policy.Event) => void
}

export class StoppingCalls {
  private readonly engine: Engine
  private readonly parts: EngineParts
  private readonly timer: PoolTimer

  constructor(engine: Engine, parts: EngineParts, timer: PoolTimer) {
    this.engine = engine
    this.parts = parts
    this.timer = timer
  }

  /** Asks the runner to stop the function. */
  begin(call: Call, now: number): void {
    const handle = this.engine.runners.get(call.runner)?.handle
    if (handle === undefined) return call.end()
    handle.cancel(call)
    // The answer to a ping that is in transit may have left before the function blocked the event loop.
    call.pongs = handle.pongs + (handle.isPinged ? 1 : 0)
    handle.probe()
    // A caller whose nested call does not stop must not count as stuck before the nested call does.
    this.timer.schedule(call, now + this.engine.settings.cancelGrace * 0.9 ** call.depth)
  }

  /** Waits until the call has stopped, or is stuck. */
  until(call: Call): Effect.Effect<void> {
    return untilStopped(call, () => call.phase === "over" || call.isStuck)
  }

  /** Ends the grace of a call: a call that has not stopped is stuck. */
  expired(call: Call): void {
    this.timer.afterReading(() => call.phase === "stopping" && this.stuck(call))
  }

  private stuck(call: Call): void {
    call.isStuck = true
    tellStopped(call)
    const runner = this.engine.runners.get(call.runner)
    if (runner?.handle === undefined) return
    const by = `stuck call ${call.fn.name}`
    runner.isStuck = true
    this.engine.step({ _tag: "Stuck", now: this.timer.now(), runner: call.runner })
    this.parts.stuck(runner, call.fn.name)
    // Any answer since the cancellation shows that the event loop turns. A regular ping may have been sent just now.
    if (runner.handle.pongs <= call.pongs) return runner.kill(by)
    this.killIfOnlyStuck(runner)
    this.timer.after(this.engine.settings.drainTimeout, () => runner.kill(by))
  }

  /** Kills a runner whose remaining calls are all stuck. */
  killIfOnlyStuck(runner: EngineRunner): void {
    let stuck: Call | undefined
    for (const call of runner.handle?.calls ?? []) {
      if (call === undefined) continue
      if (!(call instanceof Call && call.isStuck)) return
      stuck = call
    }
    if (stuck !== undefined) runner.kill(`stuck call ${stuck.fn.name}`)
  }
}
