/**
 * Counts the calls of a pool by function: at most `limits.functions` names, and one entry for all others.
 *
 * Every call is counted. At most 200 calls of a function are timed per second.
 */
import { printableLine } from "../../error/PeerText.ts"
import { Latencies } from "./Latencies.ts"
import { limits, others, type PoolDocument } from "./StatusDocument.ts"

type Figures = PoolDocument["functions"][number]
type Outcome = "succeeded" | "failed" | "interrupted"

/** Calls of a function that are timed in a second: to read the clock costs more than to count. */
const timedPerSecond = 200

export class Counters {
  calls = 0
  failed = 0
  interrupted = 0
  /** Calls that are still to be timed in this second. */
  left = timedPerSecond
  readonly latencies: Latencies

  constructor(now: number) {
    this.latencies = new Latencies(now)
  }

  /** Takes the outcome of a call that is counted already. */
  ended(outcome: Outcome, total: number, now: number): void {
    if (outcome === "failed") this.failed++
    else if (outcome === "interrupted") this.interrupted++
    // The time of an interrupted call says nothing about its function.
    if (outcome === "interrupted" || this.left === 0) return
    this.left--
    this.latencies.add(total, now)
  }
}

export class FunctionTable {
  private readonly counters = new Map<string, Counters>()
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  /** The counters of a function, or of all others. */
  of(name: string): Counters {
    const known = this.counters.get(name)
    if (known !== undefined) return known
    if (this.counters.size >= limits.functions && name !== others) return this.of(others)
    const counters = new Counters(this.now())
    this.counters.set(name, counters)
    return counters
  }

  /** Begins the quota of timed calls anew, at each tick of one second. */
  tick(): void {
    for (const counters of this.counters.values()) counters.left = timedPerSecond
  }

  /** The figures, most calls first. `running` has the calls that run now, by function. */
  read(running: ReadonlyMap<string, number>, now: number): ReadonlyArray<Figures> {
    const names = new Set([...this.counters.keys(), ...running.keys()])
    const all = Array.from(names, (name): Figures => {
      const counters = this.counters.get(name)
      return {
        name: printableLine(name, limits.message),
        calls: counters?.calls ?? 0,
        failed: counters?.failed ?? 0,
        interrupted: counters?.interrupted ?? 0,
        running: running.get(name) ?? 0,
        ...counters?.latencies.read(now)
      }
    })
    return all.toSorted((a, b) => b.calls + b.running - a.calls - a.running).slice(0, limits.functions + 1)
  }
}
