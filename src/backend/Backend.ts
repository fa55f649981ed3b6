/**
 * The contract between a pool and the backend that makes its runners exist.
 *
 * An app can have a backend of its own. `backendConformance` of `effect-flame/testing` tests whether it keeps the contract.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { BootFailure } from "../error/BootFailure.ts"
import type { ExitReason, RunnerExit } from "../error/RunnerExit.ts"
import type { Transport } from "../wire/Transport.ts"

/**
 * The runner that a backend is asked to make. Durations are in milliseconds.
 *
 * @since 0.1.0
 * @category backends
 */
export interface RunnerSpec {
  /** Name of the runner, unique in the life of this parent; fit for a host name or a label. */
  readonly id: string
  /** The pool's id. */
  readonly pool: string
  /** Identity of this life of the parent: a runner of another life is not ours. */
  readonly life: string
  /** How long the boot may take, from now. */
  readonly bootTimeout: number
  /** Milliseconds that calls in flight may take to end once the runner is told to end. */
  readonly drainTimeout: number
  /** How long finalizers may take after an interruption. */
  readonly cancelGrace: number
  /** Whether the runner is kept in reserve (`min`, `spare`) rather than booted for calls that wait. */
  readonly isKept?: boolean
  /** Milliseconds that the runner may live, if the pool limits that. */
  readonly maxLifetime?: number | undefined
}

/**
 * A step on the way to serving, in the order in which it was reached. `waiting` is no step: its `detail` tells what the boot
 * waits for, such as a node with room.
 *
 * @since 0.1.0
 * @category backends
 */
export interface BootPhase {
  readonly name: "waiting" | "bundled" | "created" | "scheduled" | "pulled" | "started" | "connected" | "sent"
  /** A detail for people, such as the name of the node. */
  readonly detail?: string
}

/**
 * The notice that a runner has to go, before it goes.
 *
 * @since 0.1.0
 * @category backends
 */
export interface Leaving {
  /** The cause, for people: an eviction, a deletion, a node that does not answer. */
  readonly why: string
  /** The reason for callers whose calls have not ended when the runner goes. */
  readonly reason: ExitReason
  /**
   * Milliseconds that are left for its calls to end. `Infinity`: nobody is there to end the runner, so that its calls run on
   * until its connection ends.
   */
  readonly budget: number
  /** Completes with the remaining milliseconds if the time turns out to be shorter. */
  readonly sooner?: Effect.Effect<number>
}

/**
 * A runner as its backend sees it.
 *
 * @since 0.1.0
 * @category backends
 */
export interface RunnerProcess {
  /** Labels by which a person finds the runner: its pid, or pod, node and zone. */
  readonly labels: Readonly<Record<string, string>>
  /** The steps of its boot. Ends when the runner is connected or has ended. */
  readonly phases: Stream.Stream<BootPhase>
  /**
   * Completes once the runner has a node to run on, for a backend where that can take long. `bootTimeout` starts then.
   * Until then the backend limits the wait itself, by failing `connection`.
   */
  readonly scheduled?: Effect.Effect<void>
  /** Advice for a boot that is too slow, if the backend knows more than the last step. */
  readonly hint?: () => string | undefined
  /** Completes when somebody other than its pool ends the runner. The pool then sends it nothing new. */
  readonly leaving?: Effect.Effect<Leaving>
  /** The authenticated byte pipe to it, once it has dialled back. */
  readonly connection: Effect.Effect<Transport, BootFailure>
  /** Why the runner ended. Never fails, and every waiter gets the same answer. */
  readonly exit: Effect.Effect<RunnerExit>
  /** Translates an end before serving into the cause of a failed boot, with the last output of the runner. */
  readonly bootFailure: (exit: RunnerExit) => BootFailure
  /**
   * Called once the pool has logged the end of the runner with the runner's last output (`stderr` of the exit or of the boot
   * failure). A backend that logs the output itself holds the last lines back until then, or until it closes the runner.
   */
  readonly outputReported?: () => void
  /** Ends the runner now, without a drain. `exit` then says `Killed` with this `by`. */
  readonly kill: (by: string) => Effect.Effect<void>
}

/**
 * An outage of the system that makes runners exist, such as an API server. Calls on runners that exist go on. `after` is in
 * milliseconds since the first failure.
 *
 * @since 0.1.0
 * @category backends
 */
export type BackendOutage =
  | { readonly _tag: "Began"; readonly after: number; readonly detail: string }
  | { readonly _tag: "Ended"; readonly after: number }

/**
 * Makes runners exist.
 *
 * @since 0.1.0
 * @category backends
 */
export class Backend extends Context.Service<
  Backend,
  {
    /** The kind of backend, for people: "process", "memory", "kubernetes". */
    readonly name: string
    /** Name of the parent's build, as its runners name theirs. Another build of a runner is only reported. */
    readonly build: string
    /** Defaults of pools on this backend, in milliseconds. */
    readonly defaults: {
      readonly bootTimeout: number
      readonly reasonGrace: number
      /** Default 60 000. */
      readonly bootPatience?: number
    }
    /** Milliseconds of a pool's `drainTimeout` that are left before this process itself is ended. Default: all. */
    readonly drainBudget?: (drainTimeout: number) => Effect.Effect<number>
    /**
     * Reports outages of the system that makes runners exist. Pools publish them as events. The returned function ends
     * the reports.
     */
    readonly onOutage?: (listener: (outage: BackendOutage) => void) => () => void
    /**
     * Makes one runner exist, which its scope owns. Closing the scope removes every trace of the runner, by SIGTERM first if
     * the runner still lives.
     */
    readonly launch: (spec: RunnerSpec) => Effect.Effect<RunnerProcess, BootFailure, Scope.Scope>
  }
>()("effect-flame/Backend") {}
