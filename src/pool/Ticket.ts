/**
 * A call as the pool's policy sees it. The pool service's own object for a call implements this, so that waiting,
 * running and leaving cost no allocation and no look-up.
 */

/** A queue that holds tickets, as one of them sees it. */
export interface TicketQueue {
  readonly remove: (ticket: Ticket) => void
}

/** One call, or one wish for a lease; every field but `lease` and `cast` is written by the policy only. */
export interface Ticket {
  /** `idle`: the policy does not hold it; `waiting`: in a queue; `running`: it has a slot. */
  state: "idle" | "waiting" | "running"
  /** The runner it runs on, or -1. */
  runner: number
  /** The lease it must run in, or -1; set by the service before `Submit`, by the policy when a lease is granted. */
  lease: number
  /** Nobody waits for its result: a closing pool goes on serving it while it has slots. */
  readonly cast: boolean
  /** Its turn: given once, at `Submit`, and kept when it comes back unserved. */
  seq: number
  /** The queue it waits in, with its neighbours there. */
  queue: TicketQueue | undefined
  prev: Ticket | undefined
  next: Ticket | undefined
}

/** The fields of a ticket that nobody holds yet. */
export const make = (fields?: { readonly lease?: number; readonly cast?: boolean }): Ticket => ({
  state: "idle",
  runner: -1,
  lease: fields?.lease ?? -1,
  cast: fields?.cast ?? false,
  seq: -1,
  queue: undefined,
  prev: undefined,
  next: undefined
})
