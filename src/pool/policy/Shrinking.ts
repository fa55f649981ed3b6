/**
 * What lets runners go for want of work: idle ones after `idleTimeToLive`, and those that are busy now and then while
 * fewer runners would do (consolidation). Both leave `min` and, while calls run, `spare` alone.
 */
import * as State from "./State.ts"
import * as Retirement from "./Retirement.ts"
import type { RunnerEntry } from "./RunnerTable.ts"

/** The time of a runner that may be idle has come. */
export const idleDue = (pool: State.PolicyState, runner: RunnerEntry): void => {
  // a runner that is busy sets its alarm when it falls idle
  if (runner.phase !== "ready" || runner.used > 0 || runner.leases > 0) return
  const ttl = State.idleTimeOf(pool)
  if (runner.idleSince + ttl > pool.now) return State.setAlarm(pool, runner.idle, runner.idleSince + ttl)
  // `void`: the runner owes an answer from before its last call
  if (!isSurplus(pool, runner) || runner.asked === "void") {
    return State.setAlarm(pool, runner.idle, pool.now + ttl)
  }
  if (pool.options.asksIdle) Retirement.ask(pool, runner)
  else Retirement.leave(pool, runner, "idle")
}

/** A runner answered whether it may go. A runner that was idle went on being of use meanwhile. */
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

/** Begins a window if the pool is above `min` and none runs, and notes how busy the pool is. */
export const watch = (pool: State.PolicyState): void => {
  const { window } = pool
  const load = State.loadOf(pool)
  if (window.alarm.heapIndex >= 0) {
    if (load > window.peak) window.peak = load
    return
  }
  if (pool.closed || pool.table.ready <= pool.options.min) return
  window.start = pool.now
  window.peak = load
  State.setAlarm(pool, window.alarm, pool.now + State.idleTimeOf(pool))
}

/**
 * A window is over: as many runners as its peak did not need take no new calls, the emptiest first. `idleWhen` is
 * asked when their calls have ended, as it is for idle ones, and a no puts them back to work.
 *
 * Not taken: leased ones, and those that became ready or said no within the window. One that is being asked already
 * goes as idle, if it goes, and counts.
 */
export const windowDue = (pool: State.PolicyState): void => {
  const { options, table, window } = pool
  const slots = window.peak + State.spareFor(pool, window.peak)
  const enough = Math.max(options.min, Math.ceil(slots / table.width))
  const surplus = table.ready - table.mute - enough
  if (pool.closed || surplus <= 0) return
  const chosen = table.freeSlots.emptiest(surplus, (_) => _.leases === 0 && _.keptAt <= window.start)
  for (const runner of chosen) {
    if (runner.asked !== "asked") Retirement.retire(pool, runner, "consolidate")
  }
}

const isSurplus = (pool: State.PolicyState, runner: RunnerEntry): boolean => {
  const { table } = pool
  const busy = table.used + State.waitingCalls(pool)
  return table.live > State.minOf(pool) && table.free - runner.free >= State.spareFor(pool, busy)
}
