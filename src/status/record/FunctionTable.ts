/** Counts the calls of a pool by function: at most `limits.functions` names, and one entry for all others. */
import { printableLine } from "../../error/PeerText.ts"
import { Latencies } from "./Latencies.ts"
import { limits, others, type PoolDocument } from "./StatusDocument.ts"

type Figures = PoolDocument["functions"][number]
type Outcome = "succeeded" | "failed" | "interrupted"

class Counters {
  calls = 0
  failed = 0
  interrupted = 0
  readonly latencies: Latencies

  constructor(now: number) {
    this.latencies = new Latencies(now)
  }
}

export class FunctionTable {
  private readonly counters = new Map<string, Counters>()

  ended(name: string, outcome: Outcome, total: number, now: number): void {
    const counters = this.of(name, now)
    counters.calls++
    if (outcome === "failed") counters.failed++
    else if (outcome === "interrupted") counters.interrupted++
    // The time of an interrupted call says nothing about its function.
    if (outcome !== "interrupted") counters.latencies.add(total, now)
  }

  private of(name: string, now: number): Counters {
    const known = this.counters.get(name)
    if (known !== undefined) return known
    if (this.counters.size >= limits.functions && name !== others) return this.of(others, now)
    const counters = new Counters(now)
    this.counters.set(name, counters)
    return counters
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
