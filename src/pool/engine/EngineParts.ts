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
  /** Labels by which a person finds the runner, such as its pid. Empty until the runner is launched. */
  readonly labels: Readonly<Record<string, string>>
  /** The step of its boot that it reached last. `ready` once it serves. */
  readonly phase: string
  /** The reason why its boot waits, as text for people. Undefined if nothing is known of it. */
  readonly waitsFor: string | undefined
  readonly startedAt: number
  /** The time when its boot succeeded. */
  readyAt: number | undefined
  /** Milliseconds from the start of its boot to each step. */
  readonly phases: Readonly<Record<string, number>>
  /** Its session. Undefined while the runner boots. */
  handle: RunnerHandle | undefined
  /** Why the pool told it to leave. */
  why: DrainReason | undefined
  /** The reason why it leaves, if its backend reported one before its end. */
  leavesFor: ExitReason | undefined
  /** Whether one of its calls did not stop within `cancelGrace`. */
  isStuck: boolean
  /** The time when it last became unresponsive. */
  silentSince: number | undefined
  /** Tells the runner to leave within the budget, in milliseconds. Gives up a runner that still boots. */
  readonly leave: (why: DrainReason, budget: number) => void
  /** Kills the runner. */
  readonly kill: (by: string) => void
  /** Asks the runner's `idleWhen`. The answer arrives as an event. */
  readonly askIdle: () => void
}

/** The work that the engine leaves to others. `PoolRuntime` of `pool/runtime` implements it. */
export interface EngineParts {
  readonly pool: string
  readonly context: Context.Context<never>
  readonly metrics: PoolMetrics
  readonly boot: (index: number) => EngineRunner
  readonly build: string
  /** Called when no runner can boot: for a permanent cause, or because every boot has failed for `bootPatience`. */
  readonly hopeless: (cause: BootFailure, attempts: number) => void
  readonly stuck: (runner: EngineRunner, fn: string) => void
}
