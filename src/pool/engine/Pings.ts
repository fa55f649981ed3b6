/** Asks runners with calls in flight whether they answer; costs nothing while there is none. */
import type { EngineRunner } from "./EngineParts.ts"
import type { PoolTimer } from "./PoolTimer.ts"

/** How often each is asked, in milliseconds. */
const interval = 2_000

export class Pings {
  private isRunning = false
  private readonly timer: PoolTimer
  private readonly runners: ReadonlyMap<number, EngineRunner>
  private readonly silenceLimit: () => number
  private readonly rested: () => void

  /** `rested` is told when no runner has had a call for a while. */
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

  /** Goes on for as long as some runner has a call; asked for at every call. */
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
        runner.kill(`silent for ${Math.round(now - runner.silentSince)} ms`)
      }
      handle.ping()
      this.start()
    }
    if (!this.isRunning) this.rested()
  }
}
