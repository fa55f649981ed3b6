/** The interfaces that the engine of a pool needs. `pool/life` and `pool/runtime` implement them. */
import type * as Context from "effect/Context"
import type { RunnerHandle } from "./RunnerHandle.ts"
import type { BootFailure } from "../../error/BootFailure.ts"
import type { ExitReason } from "../../error/RunnerExit.ts"
import type { PoolMetrics } from "./PoolMetrics.ts"
import type { DrainReason } from "../policy/Step.ts"

/**
 * A runner from its boot to its end, as the engine sees it.
 *
 * `LivingRunner` of `pool/life` implements this interface. The engine does not import that class, so that the engine
 * depends on no backend and no hook.
 */
export interface EngineRunner {
  readonly id: string
  /** Helps a person to find the runner, such as its pid; empty until it is launched. */
  readonly labels: Readonly<Record<string, string>>
  /** The step of its boot that it reached last; `ready` once it serves. */
  readonly phase: string
  /** The thing that its boot waits for, as text for people; undefined where nothing is known of it. */
  readonly waitsFor: string | undefined
  readonly startedAt: number
  /** When its boot had succeeded. */
  readyAt: number | undefined
  /** How long the steps of its boot took, in milliseconds from its start. */
  readonly phases: Readonly<Record<string, number>>
  /** Its session; undefined while it boots. */
  handle: RunnerHandle | undefined
  /** Why the pool told it to leave. */
  why: DrainReason | undefined
  /** The reason for which it leaves, where its backend reported one before its end. */
  leavesFor: ExitReason | undefined
  /** Whether a call of it did not stop within `cancelGrace`. */
  isStuck: boolean
  /** When it last fell silent. */
  silentSince: number | undefined
  /** Tells it to leave within the budget, in milliseconds. A boot is given up. */
  readonly leave: (why: DrainReason, budget: number) => void
  /** Ends it now. */
  readonly kill: (by: string) => void
  /** Asks it whether it may go; the answer comes by an event. */
  readonly askIdle: () => void
}

/** The work that the engine leaves to others. `PoolRuntime` of `pool/runtime` implements it. */
export interface EngineParts {
  readonly pool: string
  readonly context: Context.Context<never>
  readonly metrics: PoolMetrics
  readonly boot: (index: number) => EngineRunner
  readonly build: string
  /** No runner can be had: for a permanent cause, or because every boot has failed for `bootPatience`. */
  readonly hopeless: (cause: BootFailure, attempts: number) => void
  readonly stuck: (runner: EngineRunner, fn: string) => void
}
