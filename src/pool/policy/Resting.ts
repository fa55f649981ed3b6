/**
 * Lets the `min` runners of a pool leave too, once the pool has had no work for `minIdleTimeToLive`. Work is a call or a lease,
 * running or waiting. The next work ends the rest, and `Growth.missing` asks for `min` runners again.
 */
import * as Growth from "./Growth.ts"
import * as Shrinking from "./Shrinking.ts"
import * as State from "./State.ts"

/** Begins or ends the rest of the pool. Runs at each step, before the pool grows. */
export const watch = (pool: State.PolicyState, limit: number): void => {
  const { rest } = pool
  if (pool.closed) return
  if (State.loadOf(pool) > 0) {
    rest.since = undefined
    rest.isResting = false
    return
  }
  rest.since ??= pool.now
  if (rest.isResting) return
  const at = rest.since + Math.max(1, limit)
  // An alarm that is already set rings too early, and is set again then. That is cheaper than moving the alarm at every
  // call.
  if (pool.now < at) return rest.alarm.heapIndex >= 0 ? undefined : State.setAlarm(pool, rest.alarm, at)
  if (mayRest(pool)) begin(pool)
}

/** Restarts the time without work, because the options of the pool have changed. */
export const restart = (pool: State.PolicyState): void => {
  pool.rest.since = undefined
  pool.rest.isResting = false
  pool.deadlines.remove(pool.rest.alarm)
}

/**
 * Whether the pool may rest. A pool may not rest while runners boot, nor in an outage before the waiting callers have
 * failed: `awaitMin` would otherwise wait for ever.
 */
const mayRest = (pool: State.PolicyState): boolean =>
  pool.table.booting === 0 && (pool.backoff.since === undefined || Growth.isHopeless(pool))

const begin = (pool: State.PolicyState): void => {
  pool.rest.isResting = true
  for (const runner of pool.table.all.values()) Shrinking.idleDue(pool, runner)
}
