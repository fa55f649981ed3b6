/**
 * Decides which call gets a slot, which calls wait, and which one is next when a slot is free.
 *
 * `FreeSlots.pick` chooses the runner of a call. A nested call gets its slot in `Nesting.ts`, a call of a lease on the
 * runner of that lease, and the lease itself its runner in `Leasing.ts`.
 */
import * as Growth from "./Growth.ts"
import * as Leasing from "./Leasing.ts"
import * as Nesting from "./Nesting.ts"
import * as State from "./State.ts"
import * as Retirement from "./Retirement.ts"
import type { RunnerEntry } from "./RunnerTable.ts"
import type { Ticket } from "./Ticket.ts"
import { WaitQueue } from "./WaitQueue.ts"

/** Gives a new call a slot, or its turn in the queue. */
export const submit = (pool: State.PolicyState, ticket: Ticket): void => {
  if (ticket.nested) return Nesting.submit(pool, ticket)
  if (pool.closed) return State.reject(pool, ticket, "PoolClosed")
  ticket.seq = pool.nextSeq++
  if (ticket.lease >= 0) return submitPinned(pool, ticket)
  const runner = pool.calls.size === 0 ? pool.table.freeSlots.pick() : undefined
  if (runner !== undefined) return dispatch(pool, ticket, runner)
  if (State.isFull(pool)) return State.reject(pool, ticket, "QueueFull")
  pool.calls.push(ticket)
  pool.waits++
}

/** Frees the slot of a call. */
export const release = (pool: State.PolicyState, ticket: Ticket, completed: boolean): void => {
  const runner = free(pool, ticket)
  if (runner === undefined) return
  if (completed && !runner.isProven) Growth.proven(pool, runner)
  serve(pool, runner)
  Retirement.rest(pool, runner)
}

/**
 * Queues a dispatched call again; its runner gets no more calls.
 *
 * With `keepsTurn` the call is next, because it did not run. A call that was lost with its runner queues behind the others.
 * If the call ends its runners, the others would otherwise wait for all of its attempts.
 */
export const requeue = (pool: State.PolicyState, ticket: Ticket, keepsTurn: boolean): void => {
  if (ticket.state !== "running") return
  const runner = free(pool, ticket)
  if (runner !== undefined) {
    if (ticket.nested) runner.isShut = true
    Retirement.leave(pool, runner, "draining")
    pool.table.lending.review(runner)
  }
  if (ticket.nested) return putBack(pool, pool.nested, ticket)
  if (pool.closed && !ticket.cast) return State.reject(pool, ticket, "PoolClosed")
  if (ticket.lease >= 0) return State.reject(pool, ticket, "RunnerLost")
  if (keepsTurn && !ticket.isSuspect) return putBack(pool, pool.calls, ticket)
  ticket.seq = pool.nextSeq++
  const queue = ticket.isSuspect ? pool.suspects : pool.calls
  queue.push(ticket)
  pool.waits++
}

/** Gives the free slots of a runner to waiting calls, the earliest first, pinned to the runner or not. */
export const serve = (pool: State.PolicyState, runner: RunnerEntry): void => {
  if (pool.nested.size > 0) Nesting.serve(pool)
  if (pool.suspects.size > 0) serveSuspects(pool)
  // Leases come before calls, because granting a lease takes no slot. In the other order a queue of calls that never
  // empties would fill every runner, and no lease would be granted.
  if (pool.wishes.size > 0) Leasing.grant(pool)
  while (runner.responsive && !runner.isAlone && runner.used < pool.options.concurrency) {
    const own = runner.pinned?.peek()
    const other = runner.free > 0 && pool.calls.size > 0 ? pool.calls.peek() : undefined
    const next = own === undefined || (other !== undefined && other.seq < own.seq) ? other : own
    if (next === undefined) return
    State.dequeue(pool, next)
    dispatch(pool, next, runner)
  }
}

/**
 * Gives empty runners to suspects, one runner each: a call that may end its runner is then lost alone. Where no runner is
 * empty and none can come, a suspect shares a runner rather than wait for ever.
 */
export const serveSuspects = (pool: State.PolicyState): void => {
  const { freeSlots } = pool.table
  for (let ticket = pool.suspects.peek(); ticket !== undefined; ticket = pool.suspects.peek()) {
    const empty = freeSlots.empty()
    const runner = empty ?? (mustShare(pool) ? freeSlots.pick() : undefined)
    if (runner === undefined) return
    State.dequeue(pool, ticket)
    if (empty !== undefined) {
      pool.table.isolate(runner, true)
      pool.deadlines.remove(pool.sharing)
      pool.sharing.at = pool.now + pool.options.crashLoopTime
    }
    dispatch(pool, ticket, runner)
  }
}

/**
 * Sets the alarm that lets suspects share while one of them has a runner of its own. Clears the alarm if none waits.
 */
export const watchSuspects = (pool: State.PolicyState): void => {
  const { deadlines, sharing, suspects, table } = pool
  const isNeeded = suspects.size > 0 && table.alone > 0 && pool.now < sharing.at
  if (isNeeded && sharing.heapIndex < 0) State.setAlarm(pool, sharing, sharing.at)
  else if (!isNeeded) deadlines.remove(sharing)
}

/**
 * Whether no empty runner will come soon: none boots, and no lost runner is about to make room for a boot. A suspect that
 * has run alone for `crashLoopTime` may run for days, and so may the calls of a runner that retires or drains.
 */
const mustShare = (pool: State.PolicyState): boolean => {
  const { all, alone, booting, lost } = pool.table
  if (booting > 0 || (alone > 0 && pool.now < pool.sharing.at)) return false
  if (pool.closed || pool.backoff.runs(pool.now)) return true
  return lost === 0 && all.size >= pool.options.max
}

const putBack = (pool: State.PolicyState, queue: WaitQueue, ticket: Ticket): void => {
  queue.putBack(ticket)
  pool.waits++
}

const submitPinned = (pool: State.PolicyState, ticket: Ticket): void => {
  const lease = pool.leases.get(ticket.lease)
  if (lease === undefined) return State.reject(pool, ticket, "LeaseClosed")
  const runner = lease.runner
  if (runner.phase !== "ready" && runner.phase !== "retiring") return State.reject(pool, ticket, "RunnerLost")
  const queue = (runner.pinned ??= new WaitQueue())
  if (queue.size === 0 && runner.responsive && runner.used < pool.options.concurrency) {
    return dispatch(pool, ticket, runner)
  }
  if (State.isFullForPinned(pool)) return State.reject(pool, ticket, "QueueFull")
  queue.push(ticket)
  lease.waiting.add(ticket)
  pool.waits++
}

const dispatch = (pool: State.PolicyState, ticket: Ticket, runner: RunnerEntry): void => {
  ticket.state = "running"
  ticket.runner = runner.index
  if (runner.asked === "asked") runner.asked = "void"
  runner.calls++
  pool.table.occupy(runner, 1)
  State.emit(pool, { _tag: "Dispatch", ticket, runner: runner.index })
  if (pool.options.maxCalls !== undefined && runner.calls >= pool.options.maxCalls && runner.phase === "ready") {
    Retirement.retire(pool, runner, "maxCalls")
  }
}

/** Removes a call from its runner. Returns the runner if its session is not over. */
const free = (pool: State.PolicyState, ticket: Ticket): RunnerEntry | undefined => {
  if (ticket.state !== "running") return undefined
  const runner = pool.table.all.get(ticket.runner)
  ticket.state = "idle"
  ticket.runner = -1
  if (runner === undefined || runner.phase === "lost") {
    pool.table.lending.forget(ticket)
    return undefined
  }
  if (ticket.isSuspect && runner.isAlone) pool.table.isolate(runner, false)
  if (ticket.slot === undefined || pool.table.lending.leave(runner, ticket)) pool.table.occupy(runner, -1)
  return runner
}
