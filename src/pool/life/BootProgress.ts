/** The steps of one boot as they are reached: for the status, the events, and the spans of calls that waited for it. */
import type { BootPhase } from "../../backend/Backend.ts"
import type { HelloSteps } from "../../wire/Handshake.ts"
import type { PoolEvent } from "../status/PoolEvent.ts"

export class BootProgress {
  /** Milliseconds from the boot's start to each step. */
  readonly phases: Record<string, number> = {}
  /** The last step that was reached, or the first one to come. */
  phase = "beforeBoot"
  /** What the boot waits for beyond that, for people. */
  waitsFor: string | undefined = undefined
  private isOver = false
  private readonly pool: string
  private readonly runner: string
  private readonly now: () => number
  private readonly startedAt: number
  private readonly publish: (event: PoolEvent) => void

  constructor(pool: string, runner: string, now: () => number, publish: (event: PoolEvent) => void) {
    this.pool = pool
    this.runner = runner
    this.now = now
    this.startedAt = now()
    this.publish = publish
  }

  /** A step is reached; what a backend tells after the boot is over is only recorded. */
  reached(phase: string, detail?: string): void {
    this.phases[phase] ??= this.now() - this.startedAt
    if (this.isOver) return
    this.phase = phase
    this.waitsFor = undefined
    this.tell(phase, detail, this.phases[phase])
  }

  /** What its backend tells. To wait for the same thing still is no news. */
  backend({ detail, name }: BootPhase): void {
    if (name !== "waiting") return this.reached(name, detail)
    if (this.isOver || detail === this.waitsFor) return
    this.waitsFor = detail
    this.tell(name, detail, this.now() - this.startedAt)
  }

  /** It was let in and serves; what it says of itself are times of its process, the last of which is now. */
  serves(steps: HelloSteps | undefined): void {
    if (steps !== undefined) this.hello(steps)
    // for a backend that does not tell it, because its pipe is there from the start
    if (this.phases["connected"] === undefined) this.reached("connected")
    this.phases["ready"] = this.now() - this.startedAt
    this.phase = "ready"
    this.waitsFor = undefined
    this.isOver = true
  }

  private hello(steps: HelloSteps): void {
    const now = this.now() - this.startedAt
    for (const name of ["importing", "imported"] as const) {
      // not trusted: a step that it claims to have taken before its boot began is one at the beginning
      const at = Math.max(0, now - Math.max(0, steps.said - steps[name]))
      this.phases[name] = at
      this.tell(name, undefined, at)
    }
  }

  private tell(phase: string, detail: string | undefined, at: number): void {
    this.publish({ _tag: "BootProgress", pool: this.pool, runner: this.runner, phase, detail, at })
  }
}
