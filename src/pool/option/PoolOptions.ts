/** The options of a pool, as an app writes them. `PoolSettings.ts` fills in the defaults and checks the values. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"
import type { BootFailure } from "../../error/BootFailure.ts"
import type { IdleFunction } from "../../function/FlameFunction.ts"
import type { RunnerExit } from "../../error/RunnerExit.ts"

/**
 * The outcome of one boot, as `afterBoot` gets it.
 *
 * @since 0.1.0
 * @category pools
 */
export interface BootOutcome {
  readonly pool: string
  readonly runner: string
  /** The cause of a failed boot. Undefined if the boot succeeded. */
  readonly failure: BootFailure | undefined
  /** Milliseconds from its start, `beforeBoot` included. */
  readonly took: number
}

/**
 * Options of a pool. `min` and `max` are per parent process: three replicas of an app may have three times `max` runners.
 *
 * @since 0.1.0
 * @category pools
 */
export interface PoolOptions<RHooks = never> {
  /** Runners kept at all times, not only at the start. Default 0. */
  readonly min?: number
  /** Runners that may exist at a time, booting and leaving ones included. Default 10, or `min` where that is larger. */
  readonly max?: number
  /** Calls that a runner runs at a time. Default 1; raise it for functions that mostly wait. */
  readonly concurrency?: number
  /** Free slots kept ready while any call runs or waits: a number, or below 1 a fraction of the busy ones. Default 0. */
  readonly spare?: number
  /** Calls that may wait; one more fails with `QueueFull` at once. Default 10 000. */
  readonly queueCapacity?: number
  /** Budget of a call that sets none: waiting, booting and running together. Default none. */
  readonly timeout?: Duration.Input
  /** How long one boot may take. Default 60 s for processes, 2 min on Kubernetes. */
  readonly bootTimeout?: Duration.Input
  /** How long a runner above `min` stays without work. Default 30 s. */
  readonly idleTimeToLive?: Duration.Input
  /**
   * How long the pool stays without any call or lease before its `min` runners leave too. The next call boots `min` runners
   * again. Default none: `min` runners stay.
   */
  readonly minIdleTimeToLive?: Duration.Input
  /**
   * A function that is called on a runner before the runner is stopped as idle. `false` keeps the runner for another
   * `idleTimeToLive`. A failure, or no answer within 1 s, lets the runner stop. Default none.
   */
  readonly idleWhen?: IdleFunction
  /**
   * How many times a call is sent at most; then the call fails with `RunnerLost`. Any call is sent again if its runner did
   * not run it, an `idempotent` one also if its runner ended during the call. If an earlier attempt may have run, the last
   * one shares its runner with no other call. Default 3.
   */
  readonly attempts?: number
  /**
   * How long callers wait while every boot fails: then they fail with `BootFailed`, and so does `awaitMin`. Default 60 s
   * for processes, 5 min on Kubernetes. `Infinity` waits for ever.
   */
  readonly bootPatience?: Duration.Input
  /**
   * A runner that ends by itself within this time of being ready, without having completed a call, counts as a failed
   * boot: the next boot waits for a pause. Default 10 s. 0 counts none.
   */
  readonly crashLoopTime?: Duration.Input
  /** Calls after which a runner is replaced; 1 gives every call a fresh runner. Default none. */
  readonly maxCalls?: number
  /** Age at which a runner is replaced. Default none. */
  readonly maxLifetime?: Duration.Input
  /** The runner that gets the next call: the least busy one, or with `pack` the fullest with a free slot. Default `spread`. */
  readonly strategy?: "spread" | "pack"
  /** How long calls in flight may take to end when their runner or the pool must go. Default 30 s. */
  readonly drainTimeout?: Duration.Input
  /** How long finalizers on a runner may take after an interruption. Default 5 s. */
  readonly cancelGrace?: Duration.Input
  /** How long a runner may stay silent before it is given up. Default 5 min. */
  readonly silenceLimit?: Duration.Input
  /** How long a caller of a lost runner waits for the reason. Default 50 ms for processes, 3 s on Kubernetes. */
  readonly reasonGrace?: Duration.Input
  /** Largest payload, in bytes. Default 256 MiB. */
  readonly maxPayload?: number
  /** Largest result, in bytes. Default 1 GiB. */
  readonly maxResult?: number
  /**
   * The lowest level of runners' log lines that arrive in this log. `None` forwards no lines. Lines of a function are
   * first filtered by the minimum level of its caller. Default: all lines that pass that filter, and the pool's minimum
   * level for lines outside of calls.
   */
  readonly logLevel?: LogLevel.LogLevel
  /**
   * The level at which the pool logs that a runner is ready, and that a runner that was told to end has ended. Lost
   * runners and failed boots are always warnings. Default: not logged.
   */
  readonly log?: LogLevel.Severity
  /**
   * Interval at which metrics of functions on runners arrive in this parent's registry, with a label `pool`. A runner
   * sends them once more before it ends. Default 5 s. `Infinity` sends none, for programs whose runners export by
   * themselves.
   */
  readonly metricsInterval?: Duration.Input
  /** Whether the layer is built only when `min` runners serve, and fails if they cannot. Default false. */
  readonly awaitMin?: boolean
  /**
   * Runs first in every boot, within `bootTimeout`. A failure fails that boot. `runners` is the number of runners that
   * exist, this one included.
   */
  readonly beforeBoot?: (runner: string, runners: number) => Effect.Effect<void, unknown, RHooks>
  /** Runs after every boot, failed ones included, concurrently with the pool. A failure is logged. */
  readonly afterBoot?: (outcome: BootOutcome) => Effect.Effect<void, unknown, RHooks>
  /** Runs after a runner ended that was not told to end, concurrently with the pool. A failure is logged. */
  readonly onRunnerLost?: (runner: string, exit: RunnerExit) => Effect.Effect<void, unknown, RHooks>
}
