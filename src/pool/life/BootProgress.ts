/** Records the steps of one boot, for the status, for events, and for the spans of calls that waited for the boot. */
import type { BootPhase } from "../../backend/Backend.ts"
import type { HelloSteps } from "../../wire/Handshake.ts"
import type { PoolEvent } from "../status/PoolEvent.ts"

export class BootProgress {
  /** Milliseconds from the boot's start to each step. */
  readonly phases: Record<string, number> = {}
  /** The last step that was reached. `beforeBoot` until then. */
  phase = "beforeBoot"
  /** Why the boot makes no progress, as text of its backend. */
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

  /** Records a step. After the end of the boot a step is recorded, but not published. */
  reached(phase: string, detail?: string): void {
    this.phases[phase] ??= this.now() - this.startedAt
    if (this.isOver) return
    this.phase = phase
    this.waitsFor = undefined
    this.tell(phase, detail, this.phases[phase])
  }

  /** Handles a step, or a reason to wait, from the backend. A repeated reason is not published. */
  backend({ detail, name }: BootPhase): void {
    if (name !== "waiting") return this.reached(name, detail)
    if (this.isOver || detail === this.waitsFor) return
    this.waitsFor = detail
    this.tell(name, detail, this.now() - this.startedAt)
  }

  /** Ends the boot: the runner serves. `steps` are times of the clock of its process, of which `said` is now. */
  serves(steps: HelloSteps | undefined): void {
    if (steps !== undefined) this.hello(steps)
    // A backend whose pipe exists from the start does not report `connected`.
    if (this.phases["connected"] === undefined) this.reached("connected")
    this.phases["ready"] = this.now() - this.startedAt
    this.phase = "ready"
    this.waitsFor = undefined
    this.isOver = true
  }

  private hello(steps: HelloSteps): void {
    const now = this.now() - this.startedAt
    // A runner is not trusted, and on a busy computer its program begins before the parent has noted the launch. No step of
    // the program may come before the launch.
    const earliest = this.phases["launched"] ?? 0
    for (const name of ["importing", "imported"] as const) {
      const at = Math.max(earliest, now - Math.max(0, steps.said - steps[name]))
      this.phases[name] = at
      this.tell(name, undefined, at)
    }
  }

  private tell(phase: string, detail: string | undefined, at: number): void {
    this.publish({ _tag: "BootProgress", pool: this.pool, runner: this.runner, phase, detail, at })
  }
}
