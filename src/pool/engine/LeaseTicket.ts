/** The ticket of `withRunner`: a request for a lease of one runner. */
import type * as Exit from "effect/Exit"
import type { FlameError } from "../../error/FlameError.ts"
import type { Slot, Ticket, TicketQueue } from "../policy/Ticket.ts"

/** A granted lease: its number, and the index of its runner. */
export interface Granted {
  readonly lease: number
  readonly runner: number
}

export class LeaseTicket implements Ticket {
  state: "idle" | "waiting" | "running" = "idle"
  runner = -1
  lease = -1
  readonly cast = false
  readonly nested = false
  readonly isSuspect = false
  readonly caller = undefined
  slot: Slot | undefined = undefined
  isSuspended = false
  seq = -1
  queue: TicketQueue | undefined = undefined
  prev: Ticket | undefined = undefined
  next: Ticket | undefined = undefined
  private readonly onGranted: (granted: Granted) => void
  private readonly onRejected: (exit: Exit.Exit<never, FlameError>) => void

  constructor(onGranted: (granted: Granted) => void, onRejected: (exit: Exit.Exit<never, FlameError>) => void) {
    this.onGranted = onGranted
    this.onRejected = onRejected
  }

  granted(lease: number, runner: number): void {
    this.onGranted({ lease, runner })
  }

  rejected(exit: Exit.Exit<never, FlameError>): void {
    this.onRejected(exit)
  }
}
