/** The members of a pool's service. */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Stream from "effect/Stream"
import type { FlameError } from "../../error/FlameError.ts"
import type { AnyFunction } from "../../function/FlameFunction.ts"
import type { AnyService } from "../../function/PlacedService.ts"
import type { PoolEvent, PoolStatus } from "../status/PoolEvent.ts"
import type { PoolOptions } from "../option/PoolOptions.ts"
import type { Runner } from "./Runner.ts"

/**
 * Options that can be changed while a pool runs.
 *
 * @since 0.1.0
 * @category pools
 */
export type Resizable = Partial<
  Pick<
    PoolOptions,
    | "min"
    | "max"
    | "concurrency"
    | "spare"
    | "queueCapacity"
    | "idleTimeToLive"
    | "minIdleTimeToLive"
    | "maxCalls"
    | "maxLifetime"
    | "strategy"
    | "timeout"
  >
>

/** Makes a call for a fiber, which the caller passes because it has the fiber at hand. */
type PoolCall = (
  caller: Fiber.Fiber<unknown, unknown>,
  fn: AnyFunction,
  payload: unknown,
  timeout: number | undefined
) => Effect.Effect<unknown, unknown, unknown>

/**
 * The members of every pool.
 *
 * @since 0.1.0
 * @category pools
 */
export interface PoolShape {
  /** The pool's id. */
  readonly id: string
  /** The status of the pool now: runners, slots, waiting calls, totals. Counts this parent process only. */
  readonly status: Effect.Effect<PoolStatus>
  /** The events from now on. Ends with the pool. A reader that is more than 1 024 events behind misses the oldest. */
  readonly events: Stream.Stream<PoolEvent>
  /** Changes options while the pool runs. Options that are not given stay. Dies with a TypeError for an invalid value. */
  readonly resize: (options: Resizable) => Effect.Effect<void>
  /** Closes the pool: waiting calls fail with `PoolClosed`, calls in flight end within `drainTimeout`, runners are removed. */
  readonly drain: Effect.Effect<void>
  /** @internal */
  readonly call: PoolCall
  /** @internal */
  readonly cast: PoolCall
  /** Places a service for a fiber, and gives its client, which belongs to the Scope. @internal */
  readonly place: (
    owner: Fiber.Fiber<unknown, unknown>,
    service: AnyService,
    payload: unknown,
    timeout: number | undefined
  ) => Effect.Effect<object, unknown, unknown>
  /** @internal */
  readonly withRunner: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | FlameError, Exclude<R, Runner>>
}
