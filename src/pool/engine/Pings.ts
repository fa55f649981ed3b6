/**
 * Pings runners with calls in flight, and kills a runner that stays silent for `silenceLimit`. `RunnerHandle.ping` says when
 * a runner counts as unresponsive. Without calls in flight no timer runs.
 */
import type { EngineRunner } from "./EngineParts.ts"
import type { PoolTimer } from "./PoolTimer.ts"
import { spoken } from "../../time/Spoken.ts"

/** The interval of pings to each runner, in milliseconds. */
const interval = 2_000

export class Pings {
  /** Whether a round is due. */
  isRunning = false
  private readonly timer: PoolTimer
  private readonly runners: ReadonlyMap<number, EngineRunner>
  private readonly silenceLimit: () => number
  private readonly rested: () => void

  /** `rested` is called when a round finds no runner with a call in flight. */
  constructor(
    timer: PoolTimer,
    runners: ReadonlyMap<number, EngineRunner>,
    silenceLimit: () => number,
    rested: () => void
  ) {
    this.rested = rested
    this.timer = timer
    this.runners = runners
    this.silenceLimit = silenceLimit
  }

  /** Starts the rounds, unless they run. They go on while some runner has a call. */
  start(): void {
    if (this.isRunning) return
    this.isRunning = true
    this.timer.after(interval, () => this.timer.afterReading(() => this.ping()))
  }

  private ping(): void {
    this.isRunning = false
    const now = this.timer.now()
    for (const runner of this.runners.values()) {
      const { handle } = runner
      if (handle === undefined || handle.inFlight === 0) continue
      if (runner.silentSince !== undefined && now - runner.silentSince >= this.silenceLimit()) {
        runner.kill(silent(now - runner.silentSince, this.silenceLimit()))
      }
      handle.ping()
      this.start()
    }
    if (!this.isRunning) this.rested()
  }
}

/** Why the pool kills a runner that does not answer. Both times are in milliseconds. */
const silent = (millis: number, limit: number): string =>
  `silent for ${Math.round(millis)} ms: the runner answered no ping of its pool, whose \`silenceLimit\` is ` +
  `${spoken(limit)}; a function that computes without a pause keeps its runner from answering`
