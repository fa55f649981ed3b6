/** Changes the limits of a running pool, and closes it. Both visit every runner. */
import * as Dispatch from "./Dispatch.ts"
import * as State from "./State.ts"
import type { Options } from "./Step.ts"
import * as Resting from "./Resting.ts"
import * as Retirement from "./Retirement.ts"
import type { RunnerEntry } from "./RunnerTable.ts"
import type { Ticket } from "./Ticket.ts"

/**
 * Applies new options. After a lower `max` there are too many runners until the surplus has left. Calls are not cut, and
 * waiting calls stay in the queue even beyond a lower `queueCapacity`.
 */
export const resize = (pool: State.PolicyState, options: Options): void => {
  if (pool.closed) return
  pool.options = options
  pool.table.limit(options)
  pool.deadlines.remove(pool.window.alarm)
  Resting.restart(pool)
  for (const runner of pool.table.all.values()) adjust(pool, runner)
  const surplus = pool.table.live - options.max
  if (surplus > 0) {
    const leastMissed = [...pool.table.all.values()].filter(isLive).sort((a, b) => costOf(a) - costOf(b))
    for (const runner of leastMissed.slice(0, surplus)) Retirement.retire(pool, runner, "resize")
  }
  for (const runner of pool.table.all.values()) Dispatch.serve(pool, runner)
}

/** Closes the pool: no boots and no new calls. Running calls may end, and waiting casts use the existing slots. */
export const close = (pool: State.PolicyState): void => {
  if (pool.closed) return
  pool.closed = true
  State.rejectAll(pool, pool.wishes, "PoolClosed")
  rejectCalls(pool, pool.calls.toArray())
  rejectCalls(pool, pool.suspects.toArray())
  pool.deadlines.remove(pool.window.alarm)
  Resting.restart(pool)
  pool.deadlines.remove(pool.backoff.alarm)
  pool.deadlines.remove(pool.backoff.patience)
  for (const runner of pool.table.all.values()) {
    pool.deadlines.remove(runner.idle)
    pool.deadlines.remove(runner.lifetime)
    if (runner.pinned !== undefined) rejectCalls(pool, runner.pinned.toArray())
    if (runner.phase === "booting") Retirement.leave(pool, runner, "close")
    else Retirement.rest(pool, runner)
  }
}

const rejectCalls = (pool: State.PolicyState, tickets: Iterable<Ticket>): void => {
  for (const ticket of tickets) {
    if (ticket.cast) continue
    State.dequeue(pool, ticket)
    State.reject(pool, ticket, "PoolClosed")
  }
}

const adjust = (pool: State.PolicyState, runner: RunnerEntry): void => {
  const { maxCalls, maxLifetime } = pool.options
  // A runner that is being consolidated may be taken back, so it is adjusted too.
  if (runner.phase !== "ready" && !pool.table.consolidating.has(runner)) return
  State.setAlarm(pool, runner.lifetime, runner.readyAt + (maxLifetime ?? Infinity))
  if (runner.calls >= (maxCalls ?? Infinity)) return Retirement.retire(pool, runner, "maxCalls")
  // An alarm in the past rings at the next tick, which follows at once.
  const isIdle = runner.phase === "ready" && runner.used === 0 && runner.leases === 0 && runner.asked === "no"
  State.setAlarm(pool, runner.idle, isIdle ? runner.idleSince + State.idleTimeOf(pool) : Infinity)
}

const isLive = (runner: RunnerEntry): boolean => runner.phase === "booting" || runner.phase === "ready"

/** The cost of losing a runner: a boot costs least, then an empty runner, then one with calls, then one with leases. */
const costOf = (runner: RunnerEntry): number => (runner.phase === "booting" ? -1 : runner.leases * 1e6 + runner.used)
