/**
 * Stops the load, lets the pool shrink to nothing, and reports leftovers: calls, processes, files, memory.
 *
 * Exact comparison is only possible while nothing runs.
 */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Effect, type Latch } from "effect"
import { Flame, type FlameError, Pool, type PoolStatus } from "../../src/index.ts"
import type { Fates } from "./Fates.ts"
import type { Faults } from "./Faults.ts"
import { Calm, where } from "./Functions.ts"
import type { Ledger } from "./Ledger.ts"
import type { Marks } from "./Marks.ts"
import * as Processes from "./Processes.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** The time within which all must come to rest, in milliseconds. */
const restLimit = 60_000

/** Sizes at rest, in bytes. */
export interface Sizes {
  readonly heap: number
  readonly external: number
  readonly rss: number
  /** The heap of the runner that lives through the whole soak. */
  readonly runnerHeap: number
  readonly files: number | undefined
}

export class Checkpoint {
  readonly sizes: Array<Sizes> = []
  private readonly ledger: Ledger
  private readonly fates: Fates
  private readonly faults: Faults
  private readonly gate: Latch.Latch
  private readonly marks: Marks

  constructor(ledger: Ledger, fates: Fates, faults: Faults, gate: Latch.Latch, marks: Marks) {
    this.ledger = ledger
    this.fates = fates
    this.faults = faults
    this.gate = gate
    this.marks = marks
  }

  readonly run: Effect.Effect<void, FlameError.FlameError, Pool | Calm> = Effect.gen({ self: this }, function* () {
    yield* this.gate.close
    yield* this.faults.release
    yield* this.until(
      "every call has ended",
      Effect.sync(() => this.ledger.inFlight === 0)
    )
    const pool = yield* Pool
    const before = yield* pool.status
    yield* pool.resize({ min: 0, spare: 0, idleTimeToLive: 50 })
    yield* this.until("the pool is at rest", Effect.map(pool.status, isAtRest))
    const calm = yield* (yield* Calm).status
    const known = new Set(calm.runners.map(({ labels }) => Number(labels["pid"])))
    const left = () => Processes.strangers(known)
    yield* this.until(
      "every process is gone",
      Effect.sync(() => left().length === 0)
    )
    for (const { args, pid, state } of left())
      this.ledger.violation(`process ${pid} is left (${state}): ${args.slice(-80)}`)
    this.marks.check()
    yield* this.measure
    this.fates.prune(new Set(calm.runners.map(({ id }) => id)))
    yield* pool.resize({ min: before.min, idleTimeToLive: 1_000 })
  })

  private readonly measure: Effect.Effect<void, FlameError.FlameError, Calm> = Effect.gen({ self: this }, function* () {
    const { heap: runnerHeap } = yield* Flame.call(where, undefined, { pool: Calm })
    // Twice with a turn in between, because finalization registries keep some objects for a turn.
    collect()
    yield* Effect.sleep(10)
    collect()
    const { external, heapUsed, rss } = process.memoryUsage()
    this.sizes.push({
      heap: heapUsed,
      external,
      rss,
      runnerHeap,
      files: Processes.openFiles()
    })
    const [first, last] = [this.sizes[0]!.files, this.sizes.at(-1)!.files]
    // The reaper may be down at either time. Its pipe counts as one file.
    if (first !== undefined && last !== undefined && last > first + 1) {
      this.ledger.violation(`${last} files are open, ${first} at first`)
    }
  })

  private until(what: string, condition: Effect.Effect<boolean>): Effect.Effect<void> {
    return Effect.gen({ self: this }, function* () {
      const started = performance.now()
      while (!(yield* condition)) {
        if (performance.now() - started > restLimit)
          return this.ledger.violation(`waited ${restLimit} ms in vain until ${what}`)
        yield* Effect.sleep(50)
        this.ledger.overdue()
      }
    })
  }
}

const isAtRest = ({ busySlots, leases, runners, waiting }: PoolStatus): boolean =>
  runners.length === 0 && busySlots === 0 && waiting === 0 && leases === 0
