/**
 * Nested calls: calls that functions make and wait for. They are served before all others: first on the slot of their
 * caller, then on a free slot, then on the slot of any suspended call. A slot of a leaving runner is lent to calls of
 * other runners only if no other runner can become available.
 */
import * as State from "./State.ts"
import type { RunnerEntry } from "./RunnerTable.ts"
import type { Slot, Ticket } from "./Ticket.ts"

/** Gives a nested call a slot, or its turn in the queue. A closed pool serves nested calls while it has slots. */
export const submit = (pool: State.PolicyState, ticket: Ticket): void => {
  ticket.seq = pool.nextSeq++
  if (tryDispatch(pool, ticket)) return
  if (State.isFullForNested(pool)) return State.reject(pool, ticket, "QueueFull")
  pool.nested.push(ticket)
  pool.waits++
}

/** Gives slots to waiting nested calls, first in, first out. */
export const serve = (pool: State.PolicyState): void => {
  for (let ticket = pool.nested.peek(); ticket !== undefined; ticket = pool.nested.peek()) {
    const source = sourceOf(pool, ticket)
    if (source === undefined) return
    State.dequeue(pool, ticket)
    dispatch(pool, ticket, source)
  }
}

/** Suspends a running call: it waits for nested calls. */
export const suspend = (pool: State.PolicyState, ticket: Ticket): void => {
  const runner = hostOf(pool, ticket)
  if (runner === undefined || ticket.isSuspended) return
  pool.table.lending.suspend(runner, ticket)
}

/** Resumes a suspended call. */
export const resume = (pool: State.PolicyState, ticket: Ticket): void => {
  const runner = hostOf(pool, ticket)
  if (runner === undefined || !ticket.isSuspended) return
  pool.table.lending.resume(runner, ticket)
}

/** Whether a runner that takes no other calls may still serve nested ones: some of its calls have not ended. */
export const mayBeServed = (pool: State.PolicyState): boolean => {
  if (pool.table.live > 0) return true
  for (const { isShut, phase, used } of pool.table.all.values()) {
    if ((phase === "retiring" || phase === "draining") && used > 0 && !isShut) return true
  }
  return false
}

/** A slot to borrow, or a runner with a free one. */
type SlotSource = Slot | RunnerEntry

const tryDispatch = (pool: State.PolicyState, ticket: Ticket): boolean => {
  const { lending } = pool.table
  const own = ticket.caller?.slot
  // Waiting calls come first for any other slot.
  const source = lending.has(own) ? own : pool.nested.size > 0 ? undefined : sourceOf(pool, ticket)
  if (source === undefined) return false
  dispatch(pool, ticket, source)
  return true
}

const sourceOf = (pool: State.PolicyState, ticket: Ticket): SlotSource | undefined => {
  const { lending, freeSlots } = pool.table
  const own = ticket.caller?.slot
  if (lending.has(own)) return own
  return freeSlots.pick() ?? lending.pick(false) ?? (State.mayGrow(pool) ? undefined : lastSource(pool))
}

/**
 * The source if no other runner can become available. The waiting call may be the reason why the leaving runner does
 * not end.
 */
const lastSource = ({ table }: State.PolicyState): SlotSource | undefined => {
  const slot = table.lending.pick(true)
  if (slot !== undefined) return slot
  for (const runner of table.reserved) return runner
  return undefined
}

const dispatch = (pool: State.PolicyState, ticket: Ticket, source: SlotSource): void => {
  const borrowed = "suspended" in source ? source : undefined
  const runner = "suspended" in source ? pool.table.all.get(source.runner) : source
  if (runner === undefined) throw new Error("a slot of a runner that does not exist")
  ticket.state = "running"
  ticket.runner = runner.index
  if (runner.asked === "asked") runner.asked = "void"
  if (borrowed === undefined) pool.table.occupy(runner, 1)
  else pool.table.lending.borrow(borrowed, ticket)
  State.emit(pool, { _tag: "Dispatch", ticket, runner: runner.index })
}

const hostOf = (pool: State.PolicyState, ticket: Ticket): RunnerEntry | undefined => {
  const runner = ticket.state === "running" ? pool.table.all.get(ticket.runner) : undefined
  return runner?.phase === "lost" ? undefined : runner
}
