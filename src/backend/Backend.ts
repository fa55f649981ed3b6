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
  /** How long calls in flight may take to end once the runner is told to go. */
  readonly drainTimeout: number
  /** How long finalizers may take after an interruption. */
  readonly cancelGrace: number
  /** Whether it is to be kept at hand (`min`, `spare`) rather than booted for calls that wait. */
  readonly isKept?: boolean
  /** How long it may live, where the pool limits that. */
  readonly maxLifetime?: number | undefined
}

/**
 * A step on the way to serving, in the order in which it was reached. `waiting` is none: it tells what the boot waits for,
 * such as a free place, in `detail`.
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
  /** Completes where it turns out later that there is less time, with what is left of it then. */
  readonly sooner?: Effect.Effect<number>
}

/**
 * A runner as its backend has it.
 *
 * @since 0.1.0
 * @category backends
 */
export interface RunnerProcess {
  /** Labels that help a person to find it: pid, or pod, node and zone. */
  readonly labels: Readonly<Record<string, string>>
  /** The steps of its boot; ends when it is connected or has ended. */
  readonly phases: Stream.Stream<BootPhase>
  /**
   * Completes once it has a place to run at, for a backend where finding one can take long: `bootTimeout` counts from
   * there, and the backend itself gives up on finding one, by failing `connection`.
   */
  readonly scheduled?: Effect.Effect<void>
  /** Advice for a boot that is too slow, where the backend knows more than the last step. */
  readonly hint?: () => string | undefined
  /** Completes when it is told to go by somebody else than its pool, which sends it nothing new from then on. */
  readonly leaving?: Effect.Effect<Leaving>
  /** The authenticated byte pipe to it, once it has dialled back. */
  readonly connection: Effect.Effect<Transport, BootFailure>
  /** Why the runner ended. Never fails, and every waiter gets the same answer. */
  readonly exit: Effect.Effect<RunnerExit>
  /** Translates an end before serving into the cause of a failed boot, with the last output of the runner. */
  readonly bootFailure: (exit: RunnerExit) => BootFailure
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
      /** 60 000 where not given. */
      readonly bootPatience?: number
    }
    /** The part of a pool's `drainTimeout` that is left before this process itself is ended. Default: all of it. */
    readonly drainBudget?: (drainTimeout: number) => Effect.Effect<number>
    /** Reports outages of what makes runners exist, which pools publish as events. The result ends that. */
    readonly onOutage?: (listener: (outage: BackendOutage) => void) => () => void
    /**
     * Makes one runner exist. Its scope owns the runner: closing it removes every trace of it,
     * by SIGTERM first where it still lives.
     */
    readonly launch: (spec: RunnerSpec) => Effect.Effect<RunnerProcess, BootFailure, Scope.Scope>
  }
>()("effect-flame/Backend") {}
