/** Computes where the time of a call went, from the times of the pool and of the call's runner. */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { Call, CallObserver } from "../engine/Call.ts"
import { CallTimes } from "../status/CallTimes.ts"
import type { EngineRunner } from "../engine/EngineParts.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"

/** Reports the times of a call, once the call has its answer. */
export class CallExplain implements CallObserver {
  private readonly engine: PoolEngine
  private readonly tell: (times: CallTimes) => void

  constructor(engine: PoolEngine, tell: (times: CallTimes) => void) {
    this.engine = engine
    this.tell = tell
  }

  end(call: Call, exit: Exit.Exit<unknown, unknown>): void {
    this.tell(timesOf(this.engine, call, exit))
  }
}

/** The times of a call that ends now. */
export const timesOf = (engine: PoolEngine, call: Call, exit: Exit.Exit<unknown, unknown>): CallTimes => {
  const now = engine.now()
  const isSent = call.ranOn >= 0
  const until = isSent ? call.dispatchedAt : now
  const runner = isSent ? engine.runners.get(call.ranOn) : booting(engine)
  const boot = runner === undefined ? [] : bootSteps(runner, call.submittedAt, until)
  const booted = boot.reduce((sum, [, millis]) => sum + millis, 0)
  return new CallTimes({
    pool: engine.pool,
    function: call.fn.name,
    runner: isSent ? runner?.id : undefined,
    outcome: outcomeOf(exit),
    total: now - call.submittedAt,
    queued: Math.max(0, until - call.submittedAt - booted),
    boot,
    carried: call.ranFor === undefined ? undefined : Math.max(0, now - until - call.ranFor),
    ran: call.ranFor
  })
}

export const outcomeOf = (exit: Exit.Exit<unknown, unknown>): CallTimes["outcome"] => {
  if (Exit.isSuccess(exit)) return "succeeded"
  return Cause.hasInterruptsOnly(exit.cause) ? "interrupted" : "failed"
}

/** The oldest boot, for which a call that was never sent has waited. */
const booting = (engine: PoolEngine): EngineRunner | undefined => {
  for (const runner of engine.runners.values()) if (runner.readyAt === undefined) return runner
  return undefined
}

/** Milliseconds that a call waited for each step of a boot. Time before the call was made does not count. */
export const bootSteps = (
  runner: Pick<EngineRunner, "startedAt" | "phases" | "readyAt">,
  from: number,
  until: number
): ReadonlyArray<readonly [step: string, millis: number]> => {
  if (runner.readyAt !== undefined && runner.readyAt <= from) return []
  const steps: Array<readonly [string, number]> = []
  let since = Math.max(runner.startedAt, from)
  for (const [step, millis] of Object.entries(runner.phases).toSorted(([, a], [, b]) => a - b)) {
    const at = Math.min(until, runner.startedAt + millis)
    if (runner.startedAt + millis < from) continue
    steps.push([step, Math.max(0, at - since)])
    since = Math.max(since, at)
  }
  // A boot in progress: the step in which the call ended.
  if (runner.readyAt === undefined && until > since) steps.push(["not there yet", until - since])
  return steps
}
