/** A runner from its boot to its end, as its pool holds it: process, session, progress of its boot, and its drain. */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Backend, RunnerProcess } from "../../backend/Backend.ts"
import type { ExitReason } from "../../error/RunnerExit.ts"
import type { RunnerHandle } from "../engine/RunnerHandle.ts"
import { BootProgress } from "./BootProgress.ts"
import type { Due } from "../engine/Call.ts"
import type { EngineRunner } from "../engine/EngineParts.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"
import type { BootPhases, PoolEvent, RunnerStatus } from "../status/PoolEvent.ts"
import type { PoolMetrics } from "../engine/PoolMetrics.ts"
import type { PoolOptions } from "../option/PoolOptions.ts"
import { LogArrival } from "./LogArrival.ts"
import { MetricArrival } from "./MetricArrival.ts"
import type { RunnerSeries } from "../engine/RunnerSeries.ts"
import type * as Policy from "../policy/Policy.ts"

/** The parts of a pool that the life of a runner uses. */
export interface LifeParts {
  readonly pool: string
  readonly life: string
  readonly build: string
  readonly backend: Context.Service.Shape<typeof Backend>
  readonly metrics: PoolMetrics
  /** The metrics of functions on runners. */
  readonly series: RunnerSeries
  readonly hooks: Pick<PoolOptions<never>, "beforeBoot" | "afterBoot" | "onRunnerLost">
  readonly publish: (event: PoolEvent) => void
  /** Runs an effect in the background, until the pool ends. */
  readonly beside: (effect: Effect.Effect<unknown, unknown>) => void
  /** Completes when the pool has cut its calls at the end of its drain. The time that is left is for removing runners. */
  readonly outOfTime: Effect.Effect<void>
  readonly askIdle: (index: number, handle: RunnerHandle) => void
}

/** Milliseconds, 24 days: the longest budget that the runner's timer can take. */
const longestDrain = 24 * 86_400_000

/** A runner, with the figures of its status. */
export class LivingRunner implements EngineRunner {
  readonly id: string
  handle: RunnerHandle | undefined = undefined
  why: Policy.DrainReason | undefined = undefined
  isStuck = false
  silentSince: number | undefined = undefined
  process: RunnerProcess | undefined = undefined
  readyAt: number | undefined = undefined
  readonly startedAt: number
  readonly progress: BootProgress
  readonly log: LogArrival
  readonly metrics: MetricArrival
  /** Completes when its session is over. */
  readonly over = Deferred.makeUnsafe<void>()
  /** Completes when a boot is given up. */
  readonly givenUp = Deferred.makeUnsafe<void>()
  /** The reason why this pool has killed the runner. */
  killedBy: string | undefined = undefined
  /** The time when somebody else ends the runner, in the pool's time, as its backend has reported. */
  leavesBy = Infinity
  leavesFor: ExitReason | undefined = undefined
  /** Whether the runner was booted as one of `min` or `spare`, not for calls that wait. */
  readonly isKept: boolean
  private isUnlimited = false
  private isDraining = false
  private patience: Due | undefined
  private readonly index: number
  private readonly parts: LifeParts
  private readonly engine: PoolEngine

  constructor(id: string, index: number, isKept: boolean, parts: LifeParts, engine: PoolEngine) {
    this.id = id
    this.isKept = isKept
    this.index = index
    this.parts = parts
    this.engine = engine
    this.startedAt = engine.now()
    this.log = new LogArrival(parts.pool, id, undefined, (line) => engine.watch?.line(id, line))
    this.metrics = new MetricArrival(parts.series, id, () => engine.now())
    this.progress = new BootProgress(parts.pool, id, () => engine.now(), parts.publish)
  }

  get phases(): BootPhases {
    return this.progress.phases
  }

  get phase(): string {
    return this.progress.phase
  }

  get waitsFor(): string | undefined {
    return this.progress.waitsFor
  }

  get labels(): Readonly<Record<string, string>> {
    return this.process?.labels ?? {}
  }

  leave(why: Policy.DrainReason, drainTimeout: number): void {
    const { pool } = this.parts
    if (this.handle === undefined) {
      Deferred.doneUnsafe(this.givenUp, Exit.void)
      return
    }
    const left = Math.max(0, this.leavesBy - this.engine.now())
    const budget = this.isUnlimited ? left : Math.min(drainTimeout, left)
    this.parts.publish({ _tag: "RunnerDraining", pool, runner: this.id, why })
    this.drain(this.handle, budget, why)
  }

  /**
   * Records that somebody other than the pool ends the runner within this many milliseconds. The shortest time applies.
   * `Infinity`: nobody can end the runner, so that its calls in flight run on until its session ends.
   */
  endsWithin(budget: number): void {
    this.isUnlimited ||= budget === Infinity
    const by = this.engine.now() + budget
    if (by >= this.leavesBy) return
    this.leavesBy = by
    if (this.handle !== undefined && this.isDraining) this.drain(this.handle, budget, "draining")
  }

  private drain(handle: RunnerHandle, budget: number, why: Policy.DrainReason): void {
    this.isDraining = true
    // If there are several drains, the shortest budget applies on the runner.
    handle.drain(Math.min(budget, longestDrain))
    if (this.patience !== undefined) this.engine.timer.cancel(this.patience)
    // A runner without calls needs the time only for its goodbye.
    const limit = (handle.inFlight === 0 ? 0 : budget) + this.engine.settings.cancelGrace + 1_000
    if (limit === Infinity) return
    this.patience = this.engine.timer.after(limit, () => this.kill(`not gone after its drain (${why})`))
  }

  kill(by: string): void {
    if (this.killedBy !== undefined || this.process === undefined) return
    this.killedBy = by
    const { handle } = this
    this.parts.beside(
      // Destroys the link too, because the kill of a backend may leave it open.
      Effect.ensuring(
        this.process.kill(by),
        Effect.sync(() => handle?.link.destroy())
      )
    )
  }

  /** Releases the memory of a runner that is gone. */
  gone(): void {
    Deferred.doneUnsafe(this.over, Exit.void)
    this.log.end(this.parts.beside)
    this.metrics.end()
    if (this.patience !== undefined) this.engine.timer.cancel(this.patience)
  }

  askIdle(): void {
    if (this.handle !== undefined) this.parts.askIdle(this.index, this.handle)
  }
}

const states = {
  booting: "booting",
  ready: "ready",
  retiring: "draining",
  draining: "draining",
  lost: "draining"
} as const

/** The status of a runner. `runner` is undefined for a boot that has not started. */
export const statusOf = (view: Policy.RunnerView, runner: EngineRunner | undefined, now: number): RunnerStatus => {
  const state = states[view.phase]
  return {
    id: runner?.id ?? "?",
    state: state === "ready" && !view.responsive ? "unresponsive" : state,
    labels: runner?.labels ?? {},
    calls: view.used,
    age: runner?.readyAt === undefined ? undefined : now - runner.readyAt,
    phases: { ...runner?.phases },
    phase: runner?.phase ?? "beforeBoot",
    waitsFor: runner?.waitsFor
  }
}
