/**
 * A call, or a request for a lease, as the pool's policy sees it. `Call` and `LeaseTicket` of `pool/engine` implement
 * it, so that the policy allocates and looks up nothing for a call.
 */

/**
 * A slot of a call that waits for nested calls (`Lending.ts`). Nested calls may borrow the slot while all calls that hold
 * it are suspended. `Lending.suspend` makes this object: a call that never waited for a nested call has a slot without one.
 */
export interface Slot {
  /** The index of the runner. */
  readonly runner: number
  /** The owner and the borrowers that hold the slot, and how many of them are suspended. If all are, it may be lent. */
  calls: number
  suspended: number
}

/** A queue of tickets, as far as a ticket uses it. */
export interface TicketQueue {
  readonly remove: (ticket: Ticket) => void
}

/** A call, or a request for a lease. Only the policy writes the fields that are not read-only, except `lease`. */
export interface Ticket {
  /** `idle`: the policy does not hold it; `waiting`: in a queue; `running`: it has a slot. */
  state: "idle" | "waiting" | "running"
  /** The index of the runner where the call runs, or -1. */
  runner: number
  /** The lease it must run in, or -1; set by the service before `Submit`, by the policy when a lease is granted. */
  lease: number
  /** Whether no caller waits for the result. A closing pool serves waiting casts while it has slots. */
  readonly cast: boolean
  /** Whether a function made the call. Nested calls are served first, and may borrow the slot of a suspended call. */
  readonly nested: boolean
  /** The call whose function made this call, if it runs in the same pool. Its slot is borrowed first. */
  readonly caller: Ticket | undefined
  /**
   * Whether the call may have ended its runners. The call then shares a runner with no other call, unless no empty runner
   * will come soon. The engine sets it before `Requeue`.
   */
  readonly isSuspect: boolean
  /** The slot that the call holds while it runs, if the slot was ever lent. */
  slot: Slot | undefined
  /** Whether the call runs, but waits for nested calls. */
  isSuspended: boolean
  /** Its turn: given at `Submit`, kept when the call comes back unserved, and given anew when its runner was lost. */
  seq: number
  /** The queue in which the ticket waits, with its neighbours there. */
  queue: TicketQueue | undefined
  prev: Ticket | undefined
  next: Ticket | undefined
}

/** The fields of a ticket that is in no queue. */
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
