/** Events of a pool as they happen, and its status at a time. */
import type { BootFailure } from "../../error/BootFailure.ts"
import type { RunnerExit } from "../../error/RunnerExit.ts"
import type { DrainReason } from "../policy/Step.ts"

/**
 * Milliseconds from the start of a boot to each step: `beforeBoot`, `launched`, the backend's own (such as `scheduled`,
 * `pulled`, `started`), `importing` and `imported` of the runner's program, `connected`, `ready`.
 *
 * @since 0.1.0
 * @category pools
 */
export type BootPhases = Readonly<Record<string, number>>

/**
 * An event of a pool.
 *
 * @since 0.1.0
 * @category pools
 */
export type PoolEvent =
  | { readonly _tag: "BootStarted"; readonly pool: string; readonly runner: string }
  /** A boot reached its next step. The phase `waiting` is not a step: `detail` says why the boot waits. */
  | {
      readonly _tag: "BootProgress"
      readonly pool: string
      readonly runner: string
      readonly phase: string
      /** A detail for people, such as the message of a scheduler. */
      readonly detail: string | undefined
      /** Milliseconds from the start of the boot. */
      readonly at: number
    }
  | {
      readonly _tag: "RunnerReady"
      readonly pool: string
      readonly runner: string
      readonly labels: Readonly<Record<string, string>>
      readonly phases: BootPhases
      /** The runner's build, if it differs from the parent's. */
      readonly otherBuild: string | undefined
    }
  | {
      readonly _tag: "BootFailed"
      readonly pool: string
      readonly runner: string
      readonly cause: BootFailure
      readonly transient: boolean
      /** Runners that exist, the failed one not counted. */
      readonly runners: number
    }
  /** A boot was given up, because nobody needs the runner any more. Nothing of the boot is left. */
  | {
      readonly _tag: "BootGivenUp"
      readonly pool: string
      readonly runner: string
      readonly why: DrainReason | undefined
    }
  | { readonly _tag: "RunnerUnresponsive"; readonly pool: string; readonly runner: string }
  | { readonly _tag: "RunnerResponsive"; readonly pool: string; readonly runner: string }
  | { readonly _tag: "RunnerStuck"; readonly pool: string; readonly runner: string; readonly function: string }
  /** Somebody other than the pool removes a runner; `why` says who. The runner gets no new calls from then on. */
  | { readonly _tag: "RunnerLeaving"; readonly pool: string; readonly runner: string; readonly why: string }
  | { readonly _tag: "RunnerDraining"; readonly pool: string; readonly runner: string; readonly why: DrainReason }
  | {
      readonly _tag: "RunnerGone"
      readonly pool: string
      readonly runner: string
      readonly exit: RunnerExit
      /** Why the pool told it to leave; undefined for a runner that ended by itself. */
      readonly why: DrainReason | undefined
    }
  /** The reason of a lost runner that arrived after its callers had got `Disconnected`. */
  | { readonly _tag: "LateReason"; readonly pool: string; readonly runner: string; readonly exit: RunnerExit }
  /** The service that makes runners exist, such as an API server, does not answer; `detail` says why. Calls go on. */
  | { readonly _tag: "OutageBegan"; readonly pool: string; readonly after: number; readonly detail: string }
  /** The service that makes runners exist answers again, `after` milliseconds after its first failure. */
  | { readonly _tag: "OutageEnded"; readonly pool: string; readonly after: number }
  | { readonly _tag: "CastFailed"; readonly pool: string; readonly function: string; readonly message: string }
  | { readonly _tag: "PoolClosing"; readonly pool: string }

/**
 * A runner in a status.
 *
 * @since 0.1.0
 * @category pools
 */
export interface RunnerStatus {
  readonly id: string
  readonly state: "booting" | "ready" | "unresponsive" | "draining"
  readonly labels: Readonly<Record<string, string>>
  readonly calls: number
  /** Milliseconds since it became ready. Undefined while it boots. */
  readonly age: number | undefined
  readonly phases: BootPhases
  /** The step of its boot that it reached last. `ready` once it serves. */
  readonly phase: string
  /** The reason why its boot waits, as text for people. Undefined if nothing is known of it. */
  readonly waitsFor: string | undefined
}

/**
 * A pool at a time. All counts are of this parent process only.
 *
 * @since 0.1.0
 * @category pools
 */
export interface PoolStatus {
  readonly pool: string
  readonly backend: string
  readonly state: "open" | "closing" | "closed"
  readonly min: number
  readonly max: number
  readonly concurrency: number
  readonly runners: ReadonlyArray<RunnerStatus>
  readonly booting: number
  readonly ready: number
  readonly draining: number
  readonly busySlots: number
  readonly freeSlots: number
  /** Calls that wait for calls of their functions. Nested calls run on their slots. */
  readonly suspended: number
  readonly waiting: number
  readonly leases: number
  /** Since the pool was built. */
  readonly totals: Totals
}

/**
 * Counters since a pool was built; times are sums in milliseconds.
 *
 * @since 0.1.0
 * @category pools
 */
export interface Totals {
  readonly calls: number
  readonly succeeded: number
  readonly failed: number
  /** Calls whose callers were interrupted before they had an answer. */
  readonly interrupted: number
  readonly casts: number
  readonly castsFailed: number
  readonly boots: number
  readonly bootsFailed: number
  readonly runnersLost: number
  readonly queueMillis: number
  readonly runMillis: number
}
