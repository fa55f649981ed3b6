/** Calls: who gets a slot, who waits, and who is next when one is free. */
import * as Leasing from "./Leasing.ts"
import * as Nesting from "./Nesting.ts"
import * as State from "./State.ts"
import * as Retirement from "./Retirement.ts"
import type { RunnerEntry } from "./RunnerTable.ts"
import type { Ticket } from "./Ticket.ts"
import { WaitQueue } from "./WaitQueue.ts"

/** A call wants a slot. */
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

/** The slot of a ticket is free. */
export const release = (pool: State.PolicyState, ticket: Ticket): void => {
  const runner = free(pool, ticket)
  if (runner === undefined) return
  serve(pool, runner)
  Retirement.rest(pool, runner)
}

/** A dispatched ticket did not run: it is next, and its runner gets no more. */
export const requeue = (pool: State.PolicyState, ticket: Ticket): void => {
  if (ticket.state !== "running") return
  const runner = free(pool, ticket)
  if (runner !== undefined) {
    if (ticket.nested) runner.isShut = true
    Retirement.leave(pool, runner, "draining")
    pool.table.lending.review(runner)
  }
  if (ticket.nested) {
    pool.nested.putBack(ticket)
    pool.waits++
    return
  }
  if (pool.closed && !ticket.cast) return State.reject(pool, ticket, "PoolClosed")
  if (ticket.lease >= 0) return State.reject(pool, ticket, "RunnerLost")
  pool.calls.putBack(ticket)
  pool.waits++
}

/** Gives the free slots of a runner to those that wait, the earliest first, be it pinned to the runner or not. */
export const serve = (pool: State.PolicyState, runner: RunnerEntry): void => {
  if (pool.nested.size > 0) Nesting.serve(pool)
  // before the calls: a lease takes no slot from them, whereas a queue that never ends would take every runner from it
  if (pool.wishes.size > 0) Leasing.grant(pool)
  while (runner.responsive && runner.used < pool.options.concurrency) {
    const own = runner.pinned?.peek()
    const other = runner.free > 0 ? pool.calls.peek() : undefined
    const next = own === undefined || (other !== undefined && other.seq < own.seq) ? other : own
    if (next === undefined) return
    State.dequeue(pool, next)
    dispatch(pool, next, runner)
  }
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
  if (State.isFull(pool)) return State.reject(pool, ticket, "QueueFull")
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

/** Ends the stay of a ticket; the runner whose slot it was, if that has slots still. */
const free = (pool: State.PolicyState, ticket: Ticket): RunnerEntry | undefined => {
  if (ticket.state !== "running") return undefined
  const runner = pool.table.all.get(ticket.runner)
  ticket.state = "idle"
  ticket.runner = -1
  if (runner === undefined || runner.phase === "lost") {
    pool.table.lending.forget(ticket)
    return undefined
  }
  if (ticket.slot === undefined || pool.table.lending.leave(runner, ticket)) pool.table.occupy(runner, -1)
  return runner
}
