/**
 * Slots of suspended calls, which `Nesting.ts` lends to nested calls.
 *
 * A slot may be lent while all calls that hold it are suspended. So nested calls cannot deadlock: either a call of the slot
 * runs, or a waiting nested call can borrow the slot. A suspended call goes on as soon as it has its answers, even if a
 * nested call has borrowed its slot. The runner then runs more calls than it has slots, until one of the two has ended.
 */
import type { Slot, Ticket } from "./Ticket.ts"

/** A runner, as far as lending goes. */
interface Lender {
  readonly index: number
  readonly phase: string
  readonly responsive: boolean
  readonly isShut: boolean
  slots: Set<Slot> | undefined
}

export class Lending {
  /** The number of suspended calls on all runners. */
  suspended = 0
  /** Slots that may be lent: on runners that stay, and on runners that leave. */
  private readonly staying = new Set<Slot>()
  private readonly leaving = new Set<Slot>()

  suspend(runner: Lender, ticket: Ticket): void {
    const slot = (ticket.slot ??= { runner: runner.index, calls: 1, suspended: 0 })
    ;(runner.slots ??= new Set()).add(slot)
    ticket.isSuspended = true
    slot.suspended++
    this.suspended++
    this.offer(runner, slot)
  }

  resume(runner: Lender, ticket: Ticket): void {
    const { slot } = ticket
    ticket.isSuspended = false
    this.suspended--
    if (slot === undefined) return
    slot.suspended--
    this.withdraw(slot)
    if (slot.calls > 1) return
    // The call is alone on the slot again, which then needs no object.
    ticket.slot = undefined
    runner.slots?.delete(slot)
  }

  borrow(slot: Slot, ticket: Ticket): void {
    ticket.slot = slot
    slot.calls++
    this.withdraw(slot)
  }

  /** Removes a call that has ended. Returns whether its slot is free now. */
  leave(runner: Lender, ticket: Ticket): boolean {
    const { slot } = ticket
    if (slot === undefined) return true
    if (ticket.isSuspended) {
      slot.suspended--
      this.suspended--
    }
    this.forget(ticket)
    slot.calls--
    if (slot.calls === 0) {
      this.withdraw(slot)
      runner.slots?.delete(slot)
      return true
    }
    this.offer(runner, slot)
    return false
  }

  /** Forgets the slot of a ticket. */
  forget(ticket: Ticket): void {
    ticket.slot = undefined
    ticket.isSuspended = false
  }

  /** Judges the slots of a runner again, because its phase or its responsiveness has changed. */
  review(runner: Lender): void {
    if (runner.slots === undefined) return
    for (const slot of runner.slots) {
      this.withdraw(slot)
      if (runner.phase === "lost") this.suspended -= slot.suspended
      else this.offer(runner, slot)
    }
    if (runner.phase === "lost") runner.slots = undefined
  }

  /** Whether the slot may be lent now. */
  has(slot: Slot | undefined): slot is Slot {
    return slot !== undefined && (this.staying.has(slot) || this.leaving.has(slot))
  }

  /**
   * The slot that has been lendable for the longest time. Slots of runners that stay come first. Slots of runners that
   * leave are returned only with `alsoLeaving`.
   */
  pick(alsoLeaving: boolean): Slot | undefined {
    for (const slot of this.staying) return slot
    if (alsoLeaving) for (const slot of this.leaving) return slot
    return undefined
  }

  private offer(runner: Lender, slot: Slot): void {
    if (slot.calls > slot.suspended || !runner.responsive || runner.isShut) return
    if (runner.phase === "ready") this.staying.add(slot)
    else if (runner.phase === "retiring" || runner.phase === "draining") this.leaving.add(slot)
  }

  private withdraw(slot: Slot): void {
    this.staying.delete(slot)
    this.leaving.delete(slot)
  }
}
