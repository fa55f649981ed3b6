/** The books of a soak: calls in flight, counts of all ends, and violations. */
import { performance } from "node:perf_hooks"

interface Open {
  readonly what: string
  readonly since: number
  /** Milliseconds within which the call must end. */
  readonly limit: number
}

/** Milliseconds by which an answer may be late on a machine whose cores all compute. */
export const slack = 10_000

export class Ledger {
  readonly outcomes = new Map<string, number>()
  readonly violations: Array<string> = []
  /** The longest time by which an answer exceeded its limit, in milliseconds. */
  latest = 0
  calls = 0
  private readonly open = new Map<number, Open>()
  private readonly started = performance.now()
  private tickets = 0

  /** Opens an entry. The returned function closes it. */
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

  /** Reports calls that have exceeded their limit. */
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
