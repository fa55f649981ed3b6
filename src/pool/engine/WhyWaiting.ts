/** Why a waiting call has no runner. Its caller gets this when the budget is over. */
import type { BootFailure } from "../../error/BootFailure.ts"
import type { TimedOut } from "../../error/FlameError.ts"
import * as Policy from "../policy/Policy.ts"
import type { EngineRunner } from "./EngineParts.ts"

/** The fields of `TimedOut` with the reason. */
export type WhyWaiting = Pick<TimedOut, "phase" | "runner" | "waitsFor" | "cause">

/**
 * Finds out why calls wait at this moment. The phase is `booting` if a boot is in progress, has failed, or waits for
 * the end of a pause, and `queued` only if every slot is busy.
 */
export const whyWaiting = (state: Policy.PolicyState, runners: ReadonlyMap<number, EngineRunner>): WhyWaiting => {
  const { backoffUntil, bootCause, booting, failedBoots, ready, unresponsive } = Policy.snapshot(state)
  if (booting === 0 && backoffUntil === undefined && (failedBoots === 0 || ready > 0)) {
    return unresponsive === 0 ? queued : { ...queued, waitsFor: `${unresponsive} of ${ready} runners do not answer` }
  }
  const runner = slowest(runners)
  return {
    phase: "booting",
    ...(runner === undefined ? {} : { runner: runner.id, waitsFor: waitOf(runner) }),
    ...(bootCause === undefined ? {} : { cause: bootCause as BootFailure })
  }
}

const queued: WhyWaiting = { phase: "queued" }

const waitOf = ({ phase, waitsFor }: EngineRunner): string =>
  waitsFor ?? (phase === "beforeBoot" ? "it is being launched" : `its boot has got as far as "${phase}"`)

/** The runner whose boot started first. Runners that report why they wait come before others. */
const slowest = (runners: ReadonlyMap<number, EngineRunner>): EngineRunner | undefined => {
  let found: EngineRunner | undefined
  for (const runner of runners.values()) {
    if (runner.readyAt !== undefined || runner.why !== undefined) continue
    if (runner.waitsFor !== undefined) return runner
    found ??= runner
  }
  return found
}
