/**
 * A call, or a wish for a lease, as the pool's policy sees it. `Call` and `LeaseTicket` of `pool/engine` implement it, so
 * that the policy allocates nothing and looks nothing up for a call.
 */

/**
 * A slot of a call that waits for nested calls (`Lending.ts`). Nested calls may borrow the slot while all calls that hold
 * it are suspended. `Lending.suspend` makes this object: a call that never waited for a nested call has a slot without one.
 */
export interface Slot {
  /** The runner's index. */
  readonly runner: number
  /** The owner and the borrowers that hold the slot, and how many of them are suspended. If all are, it may be lent. */
  calls: number
  suspended: number
}

/** A queue that holds tickets, as one of them sees it. */
export interface TicketQueue {
  readonly remove: (ticket: Ticket) => void
}

/** A call, or a wish for a lease. Only the policy writes the fields that are not read-only, except `lease`. */
export interface Ticket {
  /** `idle`: the policy does not hold it; `waiting`: in a queue; `running`: it has a slot. */
  state: "idle" | "waiting" | "running"
  /** The runner it runs on, or -1. */
  runner: number
  /** The lease it must run in, or -1; set by the service before `Submit`, by the policy when a lease is granted. */
  lease: number
  /** Whether nobody waits for its result. A closing pool serves waiting casts while it has slots. */
  readonly cast: boolean
  /** Whether a function made it: nested calls are served first, and may borrow the slot of a suspended call. */
  readonly nested: boolean
  /** The call that made it, where that runs in the same pool: its slot is the first to be borrowed. */
  readonly caller: Ticket | undefined
  /** Whether it may have ended its runners: it then shares a runner with nobody. The engine sets it before `Requeue`. */
  readonly isSuspect: boolean
  /** The slot it has while it runs, if that was ever lent. */
  slot: Slot | undefined
  /** Whether it runs, but waits for nested calls. */
  isSuspended: boolean
  /** Its turn: given once, at `Submit`, and kept when it comes back unserved. */
  seq: number
  /** The queue it waits in, with its neighbours there. */
  queue: TicketQueue | undefined
  prev: Ticket | undefined
  next: Ticket | undefined
}

/** The fields of a ticket that nobody holds yet. */
export const make = (fields?: Partial<Pick<Ticket, "lease" | "cast" | "nested" | "caller" | "isSuspect">>): Ticket => ({
  state: "idle",
  runner: -1,
  lease: fields?.lease ?? -1,
  cast: fields?.cast ?? false,
  nested: fields?.nested ?? false,
  caller: fields?.caller,
  isSuspect: fields?.isSuspect ?? false,
  slot: undefined,
  isSuspended: false,
  seq: -1,
  queue: undefined,
  prev: undefined,
  next: undefined
})
