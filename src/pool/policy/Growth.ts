/** How many runners there should be, and the boots that make up for those that are missing. */
import * as State from "./State.ts"
import * as Retirement from "./Retirement.ts"
import type { RunnerEntry } from "./RunnerTable.ts"

/**
 * Runners that are missing, whether or not they may boot now: for `min`, or for the calls and wishes that neither a
 * free slot nor a boot under way covers, plus the spare slots. May be negative.
 */
export const missing = (pool: State.PolicyState): number => {
  const { table, wishes } = pool
  const waiting = State.waitingCalls(pool)
  const slots = waiting + State.spareFor(pool, table.used + waiting) - table.free
  // a free slot that is promised to a lease serves a call, but does not spare a wish its runner
  const forDemand = Math.ceil((Math.max(0, slots) + wishes.size) / table.width) - table.booting
  return Math.max(forDemand, State.minOf(pool) - table.live)
}

/** Starts `count` boots, or as many as `max` allows now. Whatever still exists counts, also what is on its way out. */
export const boot = (pool: State.PolicyState, count: number): void => {
  if (pool.closed || pool.backoff.runs(pool.now)) return
  const boots = Math.min(count, pool.options.max - pool.table.all.size)
  for (let i = 0; i < boots; i++) {
    State.emit(pool, { _tag: "Boot", runner: pool.table.boot(pool.backoff.epoch).index })
  }
}

/** Gives up as many of the boots that wait for a place: nobody needs them any more. */
export const surrender = (pool: State.PolicyState, count: number): void => {
  let left = count
  for (const runner of pool.table.unscheduled) {
    if (left-- <= 0) return
    Retirement.leave(pool, runner, "idle")
  }
}

/** Puts a runner that is being consolidated back to work, if there is one. */
export const takeBack = (pool: State.PolicyState): boolean => {
  // above max (after a resize) every runner that goes is one that must
  if (pool.table.consolidating.size === 0 || pool.table.all.size > pool.options.max) return false
  const [runner] = pool.table.consolidating
  if (runner !== undefined) Retirement.callBack(pool, runner)
  return runner !== undefined
}

/** A boot succeeded. */
export const ready = (pool: State.PolicyState, runner: RunnerEntry): void => {
  if (runner.phase !== "booting") return
  pool.backoff.reset()
  pool.deadlines.remove(pool.backoff.alarm)
  runner.readyAt = pool.now
  runner.keptAt = pool.now
  pool.table.enter(runner, "ready")
  pool.table.seatLast(runner)
  State.setAlarm(pool, runner.lifetime, pool.now + (pool.options.maxLifetime ?? Infinity))
  Retirement.rest(pool, runner)
}

/** A boot failed. */
export const failed = (pool: State.PolicyState, runner: RunnerEntry, transient: boolean, cause: unknown): void => {
  if (runner.phase !== "booting") return
  Retirement.lose(pool, runner)
  const begins = pool.backoff.fail({ epoch: runner.epoch, transient, cause }, pool.options.backoff, pool.now)
  if (begins) State.setAlarm(pool, pool.backoff.alarm, pool.backoff.until)
}
