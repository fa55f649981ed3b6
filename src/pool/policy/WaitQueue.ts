/**
 * Tickets in the order of their turns. Enqueue, dequeue and cancel are O(1). A ticket that returns unserved goes to the
 * head again, O(log n) in the number of returned tickets.
 */
import { Deadlines } from "./Deadlines.ts"
import type { Ticket } from "./Ticket.ts"

interface Returned {
  readonly ticket: Ticket
  at: number
  heapIndex: number
}

/** First in, first out. A ticket is in at most one queue, which its `queue` field names. */
export class WaitQueue {
  size = 0
  private head: Ticket | undefined
  private tail: Ticket | undefined
  // Returned tickets come before the list, among themselves by turn. Inserting them into the list would walk over all that
  // returned before, which is quadratic for a lost runner with many slots.
  private readonly returned = new Deadlines<Returned>()
  private readonly returnedOf = new Map<Ticket, Returned>()

  /** The ticket whose turn is next, which stays in the queue. */
  peek(): Ticket | undefined {
    const { head } = this
    const back = this.returned.first()?.ticket
    // A nested call may have run on the slot of its caller before calls that came earlier.
    return back !== undefined && (head === undefined || back.seq < head.seq) ? back : head
  }

  /** Adds a ticket at the end. Its `seq` must be higher than that of every ticket added before. */
  push(ticket: Ticket): void {
    this.hold(ticket)
    ticket.prev = this.tail
    if (this.tail === undefined) this.head = ticket
    else this.tail.next = ticket
    this.tail = ticket
  }

  /** Adds a ticket that had its turn before. The ticket comes next, unless others have an earlier turn. */
  putBack(ticket: Ticket): void {
    this.hold(ticket)
    const returned = { ticket, at: ticket.seq, heapIndex: -1 }
    this.returnedOf.set(ticket, returned)
    this.returned.insert(returned)
  }

  /** Removes a ticket from this queue, at any position. */
  remove(ticket: Ticket): void {
    this.size--
    ticket.state = "idle"
    ticket.queue = undefined
    const returned = this.returnedOf.size === 0 ? undefined : this.returnedOf.get(ticket)
    if (returned !== undefined) {
      this.returnedOf.delete(ticket)
      this.returned.remove(returned)
      return
    }
    if (ticket.prev === undefined) this.head = ticket.next
    else ticket.prev.next = ticket.next
    if (ticket.next === undefined) this.tail = ticket.prev
    else ticket.next.prev = ticket.prev
    ticket.prev = undefined
    ticket.next = undefined
  }

  /** All waiting tickets, in order. O(n log n). */
  toArray(): Array<Ticket> {
    const tickets = [...this.returnedOf.keys()].sort((a, b) => a.seq - b.seq)
    for (let ticket = this.head; ticket !== undefined; ticket = ticket.next) tickets.push(ticket)
    return tickets
  }

  private hold(ticket: Ticket): void {
    this.size++
    ticket.state = "waiting"
    ticket.queue = this
  }
}
