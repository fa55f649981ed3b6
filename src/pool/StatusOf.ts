/** One runner in the status of its pool. */
import type { RunnerStatus } from "./PoolEvent.ts"
import type * as PoolState from "./PoolState.ts"
import type { LivingRunner } from "./LivingRunner.ts"

const states = {
  booting: "booting",
  ready: "ready",
  retiring: "draining",
  draining: "draining",
  lost: "draining"
} as const

/** What is told of a runner that the policy sees so; of one that is about to begin there is no more yet. */
export const statusOf = (view: PoolState.RunnerView, runner: LivingRunner | undefined, now: number): RunnerStatus => {
  const state = states[view.phase]
  return {
    id: runner?.id ?? "?",
    state: state === "ready" && !view.responsive ? "unresponsive" : state,
    labels: runner?.process?.labels ?? {},
    calls: view.used,
    age: runner?.readyAt === undefined ? undefined : now - runner.readyAt,
    phases: { ...runner?.phases },
    phase: runner?.progress.phase ?? "beforeBoot",
    waitsFor: runner?.progress.waitsFor
  }
}
