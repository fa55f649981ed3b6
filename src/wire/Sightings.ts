/** How far connections from an address have got, for the hint of a runner that never comes. */

/** How far a runner has got with dialling back. */
export type Seen = "nothing" | "tcp" | "tls refused" | "authenticated"

/** Addresses that are remembered; whoever can come from more can make us forget, which costs a hint. */
const capacity = 1_024

export class Sightings {
  private readonly byAddress = new Map<string, { readonly seen: Seen; readonly at: number }>()

  note(address: string, seen: Seen): void {
    const last = this.byAddress.get(address)
    // the furthest counts: a runner may be sent away for want of room after it was refused
    if (last?.seen === "tls refused" && seen === "tcp") seen = last.seen
    this.byAddress.delete(address)
    this.byAddress.set(address, { seen, at: performance.now() })
    if (this.byAddress.size <= capacity) return
    for (const oldest of this.byAddress.keys()) return void this.byAddress.delete(oldest)
  }

  since(address: string, time: number): Seen {
    const last = this.byAddress.get(address)
    return last === undefined || last.at < time ? "nothing" : last.seen
  }
}
