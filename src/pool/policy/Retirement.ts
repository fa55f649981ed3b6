/** Retires runners: stops sending calls to a runner, and tells the runner to leave when its work has ended. */
import * as State from "./State.ts"
import type { DrainReason } from "./Step.ts"
import type { RunnerEntry } from "./RunnerTable.ts"

/** Tells the runner to leave. The runner gets no more calls. */
export const leave = (pool: State.PolicyState, runner: RunnerEntry, why: DrainReason): void => {
  if (runner.phase === "draining" || runner.phase === "lost") return
  runner.why = why
  pool.table.enter(runner, "draining")
  State.emit(pool, { _tag: "Drain", runner: runner.index, why })
  abandon(pool, runner)
}

/**
 * Retires the runner: it gets only calls of its open leases. The runner is told to leave when the last of its calls and
 * leases has ended. Told earlier, it would cut its calls at `drainTimeout`, and refuse calls of a lease.
 */
export const retire = (pool: State.PolicyState, runner: RunnerEntry, why: DrainReason): void => {
  if (runner.phase === "booting") return leave(pool, runner, why)
  if (runner.phase !== "ready" && runner.phase !== "retiring") return
  runner.why = why
  if (runner.phase === "ready") pool.table.enter(runner, "retiring")
  if (why === "consolidate") pool.table.consolidating.add(runner)
  else pool.table.consolidating.delete(runner)
  rest(pool, runner)
}

/** Puts a runner that was to be consolidated back to work. */
export const callBack = (pool: State.PolicyState, runner: RunnerEntry): void => {
  runner.why = undefined
  if (runner.asked === "asked") runner.asked = "void"
  pool.table.enter(runner, "ready")
  rest(pool, runner)
}

/** Decides the next phase of a runner that may have no call left. */
export const rest = (pool: State.PolicyState, runner: RunnerEntry): void => {
  if (runner.used > 0) return
  if (runner.phase === "ready") {
    if (pool.closed) leaveAtClose(pool, runner)
    else if (runner.leases === 0) becomeIdle(pool, runner)
  } else if (runner.phase === "retiring") {
    if (pool.closed) leaveAtClose(pool, runner)
    else if (runner.leases > 0) return
    else if (runner.why === "consolidate" && pool.options.asksIdle) ask(pool, runner)
    else leave(pool, runner, runner.why ?? "close")
  }
}

/** Asks a runner's `idleWhen` whether the runner may end. */
export const ask = (pool: State.PolicyState, runner: RunnerEntry): void => {
  if (runner.asked !== "no") return
  runner.asked = "asked"
  State.emit(pool, { _tag: "AskIdle", runner: runner.index })
}

/** Notes that the runner has no work. */
export const becomeIdle = (pool: State.PolicyState, runner: RunnerEntry): void => {
  runner.idleSince = pool.now
  // An alarm that is already set rings too early, and is set again then. That is cheaper than moving it at every call.
  if (runner.idle.heapIndex < 0) State.setAlarm(pool, runner.idle, pool.now + State.idleTimeOf(pool))
}

/** Removes the slots of a runner whose session is over. */
export const lose = (pool: State.PolicyState, runner: RunnerEntry): void => {
  if (runner.phase === "lost") return
  pool.table.enter(runner, "lost")
  abandon(pool, runner)
}

const leaveAtClose = (pool: State.PolicyState, runner: RunnerEntry): void => {
  // Waiting casts and nested calls may still run on a responsive runner. An unresponsive one would never take them.
  const needed = runner.phase === "ready" && runner.responsive && State.waitingCalls(pool) > 0
  if (!needed && (runner.pinned === undefined || runner.pinned.size === 0 || !runner.responsive)) {
    leave(pool, runner, runner.why ?? "close")
  }
}

const abandon = (pool: State.PolicyState, runner: RunnerEntry): void => {
  pool.deadlines.remove(runner.idle)
  pool.deadlines.remove(runner.lifetime)
  State.rejectAll(pool, runner.pinned, pool.closed ? "PoolClosed" : "RunnerLost")
}
