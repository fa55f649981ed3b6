/** New limits for a pool at work, and its end. Both look at every runner. */
import * as Dispatch from "./Dispatch.ts"
import * as State from "./State.ts"
import type { Options } from "./Step.ts"
import * as Retirement from "./Retirement.ts"
import type { RunnerEntry } from "./RunnerTable.ts"
import type { Ticket } from "./Ticket.ts"

/**
 * Puts new options in force. With a lower `max` there are too many runners until the surplus has gone; calls are not
 * cut, and those that wait keep their place even beyond a lower `queueCapacity`.
 */
export const resize = (pool: State.PolicyState, options: Options): void => {
  if (pool.closed) return
  pool.options = options
  pool.table.limit(options)
  pool.deadlines.remove(pool.window.alarm)
  for (const runner of pool.table.all.values()) adjust(pool, runner)
  const surplus = pool.table.live - options.max
  if (surplus > 0) {
    const leastMissed = [...pool.table.all.values()].filter(isLive).sort((a, b) => costOf(a) - costOf(b))
    for (const runner of leastMissed.slice(0, surplus)) Retirement.retire(pool, runner, "resize")
  }
  for (const runner of pool.table.all.values()) Dispatch.serve(pool, runner)
}

/** No boots from now on, no new calls; what runs may end, and casts that wait run on the slots that are there. */
export const close = (pool: State.PolicyState): void => {
  if (pool.closed) return
  pool.closed = true
  State.rejectAll(pool, pool.wishes, "PoolClosed")
  rejectCalls(pool, pool.calls.toArray())
  rejectCalls(pool, pool.suspects.toArray())
  pool.deadlines.remove(pool.window.alarm)
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
  // a runner that is being consolidated may be called back, and must be able to serve then
  if (runner.phase !== "ready" && !pool.table.consolidating.has(runner)) return
  State.setAlarm(pool, runner.lifetime, runner.readyAt + (maxLifetime ?? Infinity))
  if (runner.calls >= (maxCalls ?? Infinity)) return Retirement.retire(pool, runner, "maxCalls")
  // an alarm that is due already rings at the next tick, which comes at once
  const isIdle = runner.phase === "ready" && runner.used === 0 && runner.leases === 0 && runner.asked === "no"
  State.setAlarm(pool, runner.idle, isIdle ? runner.idleSince + State.idleTimeOf(pool) : Infinity)
}

const isLive = (runner: RunnerEntry): boolean => runner.phase === "booting" || runner.phase === "ready"

/** What is missed if a runner goes: a boot least, then an empty runner, one with calls, one with leases. */
const costOf = (runner: RunnerEntry): number => (runner.phase === "booting" ? -1 : runner.leases * 1e6 + runner.used)
