/** The runners that a pool should have, the boots for those that are missing, and when boots that keep failing are given up. */
import * as State from "./State.ts"
import * as Retirement from "./Retirement.ts"
import type { RunnerEntry } from "./RunnerTable.ts"

/**
 * The number of runners to add: for the demand or for `min`, whichever is more.
 *
 * The demand is the waiting calls, the wishes for a lease and the spare slots, less free slots and boots under way. `max`
 * and a pause after failed boots do not limit this number; `boot` applies both. A negative number means that so many
 * boots under way are not needed.
 */
export const missing = (pool: State.PolicyState): number => {
  const { calls, nested, suspects, table, wishes } = pool
  const waiting = calls.size + nested.size
  const slots = waiting + State.spareFor(pool, table.used + waiting + suspects.size) - table.free
  // A waiting call may take a free slot that is promised to a lease. A request for a lease may not, so free slots are not
  // subtracted from `wishes`. Each suspect needs a runner of its own.
  const forDemand = Math.ceil((Math.max(0, slots) + wishes.size) / table.width) + suspects.size - table.booting
  return Math.max(forDemand, State.minOf(pool) - table.live)
}

/** Starts `count` boots, or as many as `max` allows now. Every runner that exists counts, leaving and lost ones too. */
export const boot = (pool: State.PolicyState, count: number): void => {
  if (pool.closed || pool.backoff.runs(pool.now)) return
  const boots = Math.min(count, pool.options.max - pool.table.all.size)
  for (let i = 0; i < boots; i++) {
    State.emit(pool, { _tag: "Boot", runner: pool.table.boot(pool.backoff.epoch, pool.now).index })
  }
}

/** Gives up boots that no call needs any more: at most `count`, and only boots that are not scheduled yet. */
export const surrender = (pool: State.PolicyState, count: number): void => {
  let left = count
  for (const runner of pool.table.unscheduled) {
    if (left-- <= 0) return
    Retirement.leave(pool, runner, "idle")
  }
}

/** Puts a runner that is being consolidated back to work, if there is one. */
export const takeBack = (pool: State.PolicyState): boolean => {
  // A resize may have put the pool above `max`. Then no leaving runner is called back.
  if (pool.table.consolidating.size === 0 || pool.table.all.size > pool.options.max) return false
  const [runner] = pool.table.consolidating
  if (runner !== undefined) Retirement.callBack(pool, runner)
  return runner !== undefined
}

/** Takes a runner into service: its boot succeeded. */
export const ready = (pool: State.PolicyState, runner: RunnerEntry): void => {
  if (runner.phase !== "booting") return
  if (!pool.backoff.isLooping) healed(pool)
  runner.readyAt = pool.now
  runner.keptAt = pool.now
  pool.table.enter(runner, "ready")
  pool.table.seatLast(runner)
  State.setAlarm(pool, runner.lifetime, pool.now + (pool.options.maxLifetime ?? Infinity))
  Retirement.rest(pool, runner)
}

/** Records that a runner has completed a call. This ends a crash loop: a runner has served before it ended. */
export const proven = (pool: State.PolicyState, runner: RunnerEntry): void => {
  runner.isProven = true
  if (pool.backoff.isLooping) healed(pool)
}

/** Notes that a boot failed. */
export const failed = (pool: State.PolicyState, runner: RunnerEntry, transient: boolean, cause: unknown): void => {
  if (runner.phase !== "booting") return
  Retirement.lose(pool, runner)
  backOff(pool, runner, transient, cause)
}

/** Notes that the session of a runner is over. A runner that ends soon after it was ready counts as a failed boot. */
export const lost = (pool: State.PolicyState, runner: RunnerEntry): void => {
  runner.endedEarly = isEarly(pool, runner)
  Retirement.lose(pool, runner)
  if (runner.endedEarly) backOff(pool, runner, true, undefined)
}

/** Records the reason of an early end, which counts as a failed boot. The reason is known later than the end. */
export const explained = (pool: State.PolicyState, runner: RunnerEntry, cause: unknown): void => {
  if (runner.endedEarly && !pool.backoff.permanent) pool.backoff.cause = cause
}

/** Whether every boot has failed for `bootPatience`, or for twice that time if a boot is still in progress. */
export const isHopeless = (pool: State.PolicyState): boolean => {
  const { backoff, options, table } = pool
  if (backoff.since === undefined || backoff.cause === undefined || table.ready > 0) return false
  const waited = pool.now - backoff.since
  // A boot in progress may succeed, so patience is doubled. But patience must end: if some boots fail at once and others
  // hang, a boot is always in progress.
  return waited >= options.bootPatience * (table.booting === 0 ? 1 : 2)
}

/**
 * Clears `backoff.since`, the start of the outage, once a runner is ready, or once neither a call nor `min` needs a runner.
 *
 * In a crash loop a ready runner may end soon. So the start is cleared only after `crashLoopTime` without a failure. If it
 * stayed set, a failure hours later would count as part of the same outage.
 */
export const review = (pool: State.PolicyState): void => {
  const { backoff, table } = pool
  if (backoff.since === undefined) return
  const hasLasted = pool.now - backoff.failedAt >= pool.options.crashLoopTime
  const isServed = table.ready > 0 && (!backoff.isLooping || hasLasted)
  if (!isServed && (pool.waits > 0 || State.minOf(pool) > 0)) return
  backoff.since = undefined
  pool.deadlines.remove(backoff.patience)
}

const backOff = (pool: State.PolicyState, runner: RunnerEntry, transient: boolean, cause: unknown): void => {
  const { backoff, now, options } = pool
  const failed = { epoch: runner.epoch, bootedAt: runner.bootedAt, transient, cause, wasReady: runner.endedEarly }
  const isFirst = backoff.since === undefined
  backoff.failedAtSeq = pool.nextSeq
  if (backoff.fail(failed, options.backoff, now)) State.setAlarm(pool, backoff.alarm, backoff.until)
  if (isFirst) State.setAlarm(pool, backoff.patience, (backoff.since ?? now) + options.bootPatience)
}

const healed = (pool: State.PolicyState): void => {
  pool.backoff.reset()
  pool.deadlines.remove(pool.backoff.alarm)
  pool.deadlines.remove(pool.backoff.patience)
}

/** Whether a runner ended by itself, within `crashLoopTime` of being ready, before it completed a call. */
const isEarly = (pool: State.PolicyState, runner: RunnerEntry): boolean => {
  // A suspect that runs alone is the likely reason of the end. A pause of boots would make other calls wait for it.
  if (pool.closed || runner.isProven || runner.isAlone) return false
  const { phase, why } = runner
  if (phase !== "ready" && phase !== "retiring" && !(phase === "draining" && why === "draining")) return false
  return pool.now - runner.readyAt < pool.options.crashLoopTime
}
