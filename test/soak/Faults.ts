/** Injects faults at random times: signals to runners, and changes of the pool's options. */
import { Effect, type Latch } from "effect"
import { Pool } from "../../src/index.ts"
import * as Random from "../simulation/Random.ts"
import type { Fates } from "./Fates.ts"
import * as Processes from "./Processes.ts"

export class Faults {
  sent = 0
  private readonly fates: Fates
  private readonly gate: Latch.Latch
  /** Stopped processes, which must continue before the books are compared. */
  private readonly stopped = new Set<number>()

  constructor(fates: Fates, gate: Latch.Latch) {
    this.fates = fates
    this.gate = gate
  }

  /** Kills, terminates and stops runners of the default pool, for ever. */
  signals(random: Random.Random): Effect.Effect<never, never, Pool> {
    return this.now(random, 2_000, () => this.strike(random))
  }

  /** Changes the options of the default pool, for ever. */
  resizes(random: Random.Random): Effect.Effect<never, never, Pool> {
    const resize = Effect.flatMap(Pool, (pool) =>
      Effect.suspend(() =>
        pool.resize({
          min: Math.floor(random() * 3),
          max: 2 + Math.floor(random() * 4),
          concurrency: 1 + Math.floor(random() * 8),
          spare: random() < 0.3 ? random() * 3 : 0,
          strategy: random() < 0.5 ? "spread" : "pack",
          maxCalls: random() < 0.3 ? 20 + Math.floor(random() * 500) : 1_000_000,
          idleTimeToLive: 200 + random() * 3_000
        })
      )
    )
    return this.now(random, 4_000, () => resize)
  }

  /** Continues stopped processes. */
  get release(): Effect.Effect<void> {
    return Effect.sync(() => {
      for (const pid of this.stopped) Processes.signal(pid, "SIGCONT")
      this.stopped.clear()
    })
  }

  private now(random: Random.Random, pause: number, f: () => Effect.Effect<void, never, Pool>) {
    const sleep = Effect.suspend(() => Effect.sleep(random() * 2 * pause))
    return Effect.forever(Effect.andThen(sleep, Effect.andThen(this.gate.await, Effect.suspend(f))))
  }

  private strike(random: Random.Random): Effect.Effect<void, never, Pool> {
    return Effect.gen({ self: this }, function* () {
      const { runners } = yield* (yield* Pool).status
      const all = runners.flatMap(({ id, labels }) =>
        labels["pid"] === undefined ? [] : [{ id, pid: Number(labels["pid"]) }]
      )
      const kind = random()
      if (kind < 0.05) return all.forEach(({ id, pid }) => this.send(id, pid, "SIGKILL"))
      if (kind < 0.08) return Processes.reaper().forEach((pid) => Processes.signal(pid, "SIGKILL"))
      const one = Random.pick(all, random())
      if (one === undefined) return
      const { id, pid } = one
      if (kind < 0.55) return this.send(id, pid, "SIGKILL")
      if (kind < 0.8) return this.send(id, pid, "SIGTERM")
      this.send(id, pid, "SIGSTOP")
      this.stopped.add(pid)
      yield* Effect.forkDetach(
        Effect.delay(
          Effect.sync(() => {
            if (this.stopped.delete(pid)) Processes.signal(pid, "SIGCONT")
          }),
          random() * 6_000
        )
      )
    })
  }

  private send(runner: string, pid: number, signal: NodeJS.Signals): void {
    // Recorded before the signal, because the end may be reported in this turn.
    this.fates.signalled(runner, signal)
    this.sent++
    Processes.signal(pid, signal)
  }
}
