/**
 * `PolicyState`, the state of one pool's policy, and the helpers that the modules of the policy share. `Policy.step`
 * updates the state in place. The runners of the state are in `RunnerTable.ts`.
 */
import { Backoff } from "./Backoff.ts"
import { Deadlines } from "./Deadlines.ts"
import type { Command, Options, RejectReason } from "./Step.ts"
import { type Alarm, type RunnerEntry, RunnerTable } from "./RunnerTable.ts"
import type { Ticket } from "./Ticket.ts"
import { WaitQueue } from "./WaitQueue.ts"

/** A runner that a `withRunner` has leased. */
export interface Lease {
  readonly id: number
  readonly runner: RunnerEntry
  /** Its waiting calls. */
  readonly waiting: Set<Ticket>
}

/** How busy the pool was since `start`; judged and begun anew every `idleTimeToLive` while it is above `min`. */
export interface Window {
  start: number
  peak: number
  readonly alarm: Alarm
}

/** Whether a pool has been without work for so long that `min` does not hold. */
export interface Rest {
  /** The time of the last work. Undefined while there is work. */
  since: number | undefined
  isResting: boolean
  readonly alarm: Alarm
}

export interface PolicyState {
  options: Options
  now: number
  closed: boolean
  nextSeq: number
  nextLease: number
  /** Waiting tickets in all queues. */
  waits: number
  /** Calls that may run anywhere. */
  readonly calls: WaitQueue
  /** Nested calls, which are served before all others. */
  readonly nested: WaitQueue
  /** Calls that may have ended their runners: each gets a runner of its own. */
  readonly suspects: WaitQueue
  /** Requests for a lease. They have their own queue, because granting one takes no slot from the calls. */
  readonly wishes: WaitQueue
  readonly table: RunnerTable
  readonly leases: Map<number, Lease>
  readonly deadlines: Deadlines<Alarm>
  readonly backoff: Backoff
  readonly window: Window
  readonly rest: Rest
  /** Rings, for suspects that wait, when the latest one with a runner of its own has run for `crashLoopTime`. */
  readonly sharing: Alarm
  /** Commands of the current step so far. `Policy.none` until the first one. */
  commands: Array<Command>
}

export const make = (options: Options, seed: number): PolicyState => ({
  options,
  now: -Infinity,
  closed: false,
  nextSeq: 0,
  nextLease: 0,
  waits: 0,
  calls: new WaitQueue(),
  nested: new WaitQueue(),
  suspects: new WaitQueue(),
  wishes: new WaitQueue(),
  table: new RunnerTable(options),
  leases: new Map(),
  deadlines: new Deadlines(),
  backoff: new Backoff(seed),
  window: { start: 0, peak: 0, alarm: { kind: "window", runner: undefined, at: 0, heapIndex: -1 } },
  rest: { since: undefined, isResting: false, alarm: { kind: "rest", runner: undefined, at: 0, heapIndex: -1 } },
  sharing: { kind: "sharing", runner: undefined, at: 0, heapIndex: -1 },
  commands: []
})

export const emit = (pool: PolicyState, command: Command): void => {
  // An empty list may be the one that all steps share (`Policy.none`), so the first command makes a new list. Most steps
  // decide one thing, and an array made with its one element costs a tenth of one that grows to it.
  if (pool.commands.length === 0) pool.commands = [command]
  else pool.commands.push(command)
}

export const reject = (pool: PolicyState, ticket: Ticket, why: RejectReason): void => {
  const failed = why === "BootFailed"
  const { cause, failures } = pool.backoff
  emit(pool, {
    _tag: "Reject",
    ticket,
    why,
    cause: failed ? cause : undefined,
    attempts: failed ? failures : 0
  })
}

export const setAlarm = (pool: PolicyState, alarm: Alarm, at: number): void => {
  pool.deadlines.remove(alarm)
  alarm.at = at
  if (at === Infinity) return
  pool.deadlines.insert(alarm)
}

/** Removes a waiting ticket from its queue. */
export const dequeue = (pool: PolicyState, ticket: Ticket): void => {
  if (ticket.queue === undefined) return
  ticket.queue.remove(ticket)
  pool.waits--
  if (ticket.lease >= 0) pool.leases.get(ticket.lease)?.waiting.delete(ticket)
}

/** Removes the waiting tickets whose turn is before `before` from a queue, and rejects them. */
export const rejectAll = (
  pool: PolicyState,
  queue: WaitQueue | undefined,
  why: RejectReason,
  before = Infinity
): void => {
  if (queue === undefined) return
  for (let ticket = queue.peek(); ticket !== undefined && ticket.seq < before; ticket = queue.peek()) {
    dequeue(pool, ticket)
    reject(pool, ticket, why)
  }
}

/** Running and waiting calls and open leases, in slots. The size of the pool is judged by this load. */
export const loadOf = (pool: PolicyState): number =>
  pool.table.used + waitingCalls(pool) + pool.wishes.size + pool.leases.size

/** Counts the calls that wait for any slot. */
export const waitingCalls = (pool: PolicyState): number => pool.calls.size + pool.nested.size + pool.suspects.size

/**
 * Whether the queue is full for one more call. Calls that could run at once on runners that boot are accepted all the
 * same: a pool with a `queueCapacity` of 0 would otherwise never boot.
 */
export const isFull = (pool: PolicyState): boolean =>
  isFullForPinned(pool) && waitingCalls(pool) + pool.wishes.size >= slotsToCome(pool)

/** Whether the queue is full for one more call that is pinned to its runner: no boot serves it. */
export const isFullForPinned = (pool: PolicyState): boolean =>
  pool.waits + pool.table.suspended >= pool.options.queueCapacity

/** Whether the queue is full for one more nested call. Nested calls have as many places as all others together. */
export const isFullForNested = (pool: PolicyState): boolean =>
  pool.nested.size >= pool.options.queueCapacity && pool.nested.size >= slotsToCome(pool)

/** Slots of the boots that are under way or may begin now. */
const slotsToCome = (pool: PolicyState): number => {
  const { backoff, closed, options, table } = pool
  if (closed) return 0
  const mayBegin = backoff.runs(pool.now) ? 0 : Math.max(0, options.max - table.all.size)
  return (table.booting + mayBegin) * table.width
}

/** Whether a boot is under way, or may begin once somebody needs it. */
export const mayGrow = (pool: PolicyState): boolean =>
  !pool.closed && (pool.table.booting > 0 || (pool.table.all.size < pool.options.max && !pool.backoff.runs(pool.now)))

/** Free slots to keep while `busy` slots are taken or waited for. */
export const spareFor = (pool: PolicyState, busy: number): number => {
  const spare = pool.closed || busy === 0 ? 0 : pool.options.spare
  // 0.1 * 30 is a little above 3.
  return spare < 1 ? Math.ceil(spare * busy - 1e-9) : spare
}

/** The runners to keep, whatever the load. */
export const minOf = (pool: PolicyState): number => (pool.closed || pool.rest.isResting ? 0 : pool.options.min)

/** How long a window lasts: at least 1 ms, or a pool at `min` would wake without end. */
export const windowOf = ({ options }: PolicyState): number => Math.max(1, options.idleTimeToLive ?? Infinity)

/**
 * How long a runner may be idle. In a pool that rests the shorter of the two limits holds, so that its runners leave even
 * where `idleTimeToLive` has no end.
 */
export const idleTimeOf = (pool: PolicyState): number => {
  const { minIdleTimeToLive = Infinity } = pool.options
  return pool.rest.isResting ? Math.max(1, Math.min(windowOf(pool), minIdleTimeToLive)) : windowOf(pool)
}
