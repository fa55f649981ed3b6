/** The books of a soak: calls in flight, ends of all others, and violations. */
import { performance } from "node:perf_hooks"

interface Open {
  readonly what: string
  readonly since: number
  /** Milliseconds after which somebody must have heard something. */
  readonly limit: number
}

/** How late an answer may be on a machine that computes on all of its cores, in milliseconds. */
export const slack = 10_000

export class Ledger {
  readonly outcomes = new Map<string, number>()
  readonly violations: Array<string> = []
  /** Longest time by which an answer came after its limit, in milliseconds. */
  latest = 0
  calls = 0
  private readonly open = new Map<number, Open>()
  private readonly started = performance.now()
  private tickets = 0

  /** Opens an entry; the function that comes back closes it. */
  begin(what: string, limit: number): () => void {
    const ticket = this.tickets++
    const since = performance.now()
    this.calls++
    this.open.set(ticket, { what, since, limit })
    return () => {
      this.open.delete(ticket)
      const late = performance.now() - since - limit
      this.latest = Math.max(this.latest, late)
      if (late > slack) this.violation(`${what} ended ${Math.round(late)} ms after its limit of ${limit} ms`)
    }
  }

  get inFlight(): number {
    return this.open.size
  }

  count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  violation(what: string): void {
    const line = `${((performance.now() - this.started) / 1000).toFixed(1)} s: ${what}`
    this.violations.push(line)
    if (this.violations.length <= 50) console.error(`  VIOLATION ${line}`)
  }

  /** Finds calls that nobody has heard of for too long. */
  overdue(): void {
    const now = performance.now()
    for (const [ticket, { limit, since, what }] of this.open) {
      if (now - since <= limit + slack) continue
      this.violation(`${what} is lost: nothing came of it in ${Math.round(now - since)} ms`)
      this.open.delete(ticket)
    }
  }

  get summary(): string {
    const names = [...this.outcomes.keys()].sort((a, b) => (a < b ? -1 : 1))
    return names.map((outcome) => `${outcome} ${this.outcomes.get(outcome)}`).join(", ")
  }
}
