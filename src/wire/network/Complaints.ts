/**
 * Logs refused connections, with limits so that strangers cannot fill a log. `Sightings` records how far the connections of
 * each address got.
 */
import * as Effect from "effect/Effect"

/** Milliseconds in which each address is logged at most once, and all addresses together at most `mostLines` times. */
const interval = 10_000
const mostLines = 10

/** The number of addresses that are remembered. */
const capacity = 1_024

/**
 * Makes a function that logs `message` with an address, a detail, and the number of lines that were left out before.
 */
export const makeComplaints = (message: string): Effect.Effect<(address: string, detail: string) => void> =>
  Effect.contextWith((context) => {
    const run = Effect.runForkWith(context)
    const saidOf = new Map<string, number>()
    let began = -Infinity
    let lines = 0
    let unsaid = 0
    return Effect.succeed((address: string, detail: string) => {
      const now = performance.now()
      if (now - began >= interval) {
        began = now
        lines = 0
      }
      if (lines >= mostLines || now - (saidOf.get(address) ?? -Infinity) < interval) return void unsaid++
      lines++
      // Set again, so that the address is the youngest.
      saidOf.delete(address)
      saidOf.set(address, now)
      forgetOldest(saidOf)
      const more = unsaid === 0 ? "" : ` (${unsaid} more refused connections were not logged since the last line)`
      unsaid = 0
      run(Effect.logWarning(`${message}: from ${address}, ${detail}${more}`))
    })
  })

const forgetOldest = (byAddress: Map<string, unknown>): void => {
  if (byAddress.size > capacity) byAddress.delete(byAddress.keys().next().value ?? "")
}

/** How far a runner has got with dialling back. */
export type Seen = "nothing" | "tcp" | "tls refused" | "authenticated"

/** How far the latest connections of each address got. */
export class Sightings {
  private readonly byAddress = new Map<string, { readonly seen: Seen; readonly at: number }>()

  note(address: string, seen: Seen): void {
    const last = this.byAddress.get(address)
    // The furthest state counts, because a later connection of a refused runner may be closed for lack of room.
    if (last?.seen === "tls refused" && seen === "tcp") seen = last.seen
    this.byAddress.delete(address)
    this.byAddress.set(address, { seen, at: performance.now() })
    forgetOldest(this.byAddress)
  }

  since(address: string, time: number): Seen {
    const last = this.byAddress.get(address)
    return last === undefined || last.at < time ? "nothing" : last.seen
  }
}
