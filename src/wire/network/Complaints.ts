/** Log lines about strangers, who could otherwise fill a log: one per address and 10 s. */
import * as Effect from "effect/Effect"

const interval = 10_000

/** Addresses that are remembered. */
const capacity = 1_024

/** What says so in the log: `message`, from where, why, and how often it was not said before. */
export const makeComplaints = (message: string): Effect.Effect<(address: string, detail: string) => void> =>
  Effect.contextWith((context) => {
    const run = Effect.runForkWith(context)
    const byAddress = new Map<string, { readonly at: number; unsaid: number }>()
    return Effect.succeed((address: string, detail: string) => {
      const now = performance.now()
      const last = byAddress.get(address)
      if (last !== undefined && now - last.at < interval) return void last.unsaid++
      byAddress.delete(address)
      byAddress.set(address, { at: now, unsaid: 0 })
      if (byAddress.size > capacity) byAddress.delete(byAddress.keys().next().value ?? "")
      const more = last === undefined || last.unsaid === 0 ? "" : `; so were ${last.unsaid} more since the last line`
      run(Effect.logWarning(`${message}: from ${address}, ${detail}${more}`))
    })
  })

/** How far a runner has got with dialling back. */
export type Seen = "nothing" | "tcp" | "tls refused" | "authenticated"

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
