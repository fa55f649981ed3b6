/**
 * Stops runners for lack of work: idle runners after `idleTimeToLive`, and runners that are busy now and then while
 * fewer would do (consolidation). Both keep `min` and, while calls run, `spare`.
 */
import * as State from "./State.ts"
import * as Retirement from "./Retirement.ts"
import type { RunnerEntry, RunnerTable } from "./RunnerTable.ts"

/** Stops a runner, or asks its `idleWhen`, once it has been idle for `idleTimeToLive`. */
export const idleDue = (pool: State.PolicyState, runner: RunnerEntry): void => {
  // A busy runner sets its alarm again when it becomes idle.
  if (runner.phase !== "ready" || runner.used > 0 || runner.leases > 0) return
  const ttl = State.idleTimeOf(pool)
  if (runner.idleSince + ttl > pool.now) return State.setAlarm(pool, runner.idle, runner.idleSince + ttl)
  // `void`: the runner still owes an answer to a question from before its last call.
  if (!isSurplus(pool, runner) || runner.asked === "void") {
    return State.setAlarm(pool, runner.idle, pool.now + ttl)
  }
  if (pool.options.asksIdle) Retirement.ask(pool, runner)
  else Retirement.leave(pool, runner, "idle")
}

/**
 * Handles a runner's answer to AskIdle. The runner kept serving meanwhile, so an answer from before its latest call is
 * void.
 */
export const answered = (pool: State.PolicyState, runner: RunnerEntry, idle: boolean): void => {
  const counts = runner.asked === "asked"
  runner.asked = "no"
  if (counts && !idle) runner.keptAt = pool.now
  if (runner.phase === "retiring") {
    if (!counts) Retirement.rest(pool, runner)
    else if (idle) Retirement.leave(pool, runner, runner.why ?? "idle")
    else Retirement.callBack(pool, runner)
  } else if (runner.phase === "ready" && counts) {
    if (idle && isSurplus(pool, runner)) Retirement.leave(pool, runner, "idle")
    else Retirement.becomeIdle(pool, runner)
  }
}

/** Begins a window if the pool is above `min` and no window runs. Records the load of the pool. */
export const watch = (pool: State.PolicyState): void => {
  const { window } = pool
  const load = State.loadOf(pool)
  if (window.alarm.heapIndex >= 0) {
    if (load > window.peak) window.peak = load
    return
  }
  if (pool.closed || pool.table.ready <= State.minOf(pool)) return
  window.start = pool.now
  window.peak = load
  State.setAlarm(pool, window.alarm, pool.now + State.windowOf(pool))
}

/**
 * Ends a window: the runners that its peak did not need take no new calls, the emptiest first. `idleWhen` is asked when
 * their calls have ended, as for idle runners; a no puts them back to work.
 *
 * Leased runners are spared, and runners that became ready or said no within the window. A runner that is already being
 * asked counts as chosen, and leaves as idle.
 */
export const windowDue = (pool: State.PolicyState): void => {
  const { table, window } = pool
  if (pool.closed) return
  const enough = window.peak + State.spareFor(pool, window.peak)
  let count = table.ready - table.mute
  let slots = slotsOfAll(table)
  const mayLeave = (runner: RunnerEntry) => runner.leases === 0 && runner.keptAt <= window.start
  for (const runner of table.freeSlots.emptiest(count, mayLeave)) {
    const rest = slots - slotsOf(table, runner)
    if (count <= State.minOf(pool) || rest < enough) continue
    count--
    slots = rest
    if (runner.asked !== "asked") Retirement.retire(pool, runner, "consolidate")
  }
}

/**
 * The slots that a runner has for calls: fewer than `concurrency` near its `maxCalls`, or where it serves a suspect alone.
 * Growth counts the same slots, so that no runner is stopped that is booted again. After a resize a runner may have more
 * calls than slots.
 */
const slotsOf = ({ width }: RunnerTable, { free, used }: RunnerEntry): number => Math.min(width, free + used)

const slotsOfAll = (table: RunnerTable): number => {
  let slots = 0
  for (const runner of table.all.values()) {
    if (runner.phase === "ready" && runner.responsive) slots += slotsOf(table, runner)
  }
  return slots
}

const isSurplus = (pool: State.PolicyState, runner: RunnerEntry): boolean => {
  const { table } = pool
  const busy = table.used + State.waitingCalls(pool)
  return table.live > State.minOf(pool) && table.free - runner.free >= State.spareFor(pool, busy)
}
