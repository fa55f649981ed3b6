/**
 * Leases: runners that `withRunner` reserves for the calls inside. A lease holds no slot, but counts as load, so that
 * leases and other calls keep apart while there is room. Without room leases share a runner rather than wait for one
 * another, which would deadlock nested leases.
 */
import * as State from "./State.ts"
import * as Retirement from "./Retirement.ts"
import type { Ticket } from "./Ticket.ts"

/** Grants a request for a lease, or queues it. */
export const open = (pool: State.PolicyState, ticket: Ticket): void => {
  if (pool.closed) return State.reject(pool, ticket, "PoolClosed")
  ticket.seq = pool.nextSeq++
  ticket.lease = -1
  if (State.isFull(pool)) {
    // A full queue matters only if the request would have to wait.
    if (next(pool) === undefined) return State.reject(pool, ticket, "QueueFull")
  }
  pool.wishes.push(ticket)
  pool.waits++
  grant(pool)
}

/** Grants waiting requests, first in, first out. */
export const grant = (pool: State.PolicyState): void => {
  for (let ticket = pool.wishes.peek(); ticket !== undefined; ticket = pool.wishes.peek()) {
    const runner = next(pool)
    if (runner === undefined) return
    State.dequeue(pool, ticket)
    const id = pool.nextLease++
    pool.leases.set(id, { id, runner, waiting: new Set() })
    ticket.lease = id
    runner.leases++
    if (runner.asked === "asked") runner.asked = "void"
    pool.table.reseat(runner)
    State.emit(pool, { _tag: "LeaseGranted", ticket, lease: id, runner: runner.index })
  }
}

/** Ends a lease, and rejects its waiting calls. */
export const close = (pool: State.PolicyState, id: number): void => {
  const lease = pool.leases.get(id)
  if (lease === undefined) return
  for (const ticket of lease.waiting) {
    State.dequeue(pool, ticket)
    State.reject(pool, ticket, "LeaseClosed")
  }
  pool.leases.delete(id)
  lease.runner.leases--
  pool.table.reseat(lease.runner)
  Retirement.rest(pool, lease.runner)
}

const next = (pool: State.PolicyState) => {
  const roomy = pool.table.freeSlots.roomy()
  return roomy !== undefined || State.mayGrow(pool) ? roomy : pool.table.freeSlots.crowded()
}
