/**
 * A pool: the parent's set of runners of one kind, as a service.
 *
 * `Pool` is the default one; `class Gpu extends PoolService<Gpu>()("app/Gpu") {}` makes another kind.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import type { Backend } from "../backend/Backend.ts"
import type { FlameError } from "../FlameError.ts"
import type { AnyFunction, AnyPool } from "../FlameFunction.ts"
import type { PoolEvent, PoolStatus } from "./PoolEvent.ts"
import type { PoolOptions } from "./PoolOptions.ts"
import type { Runner } from "./Runner.ts"

/** Options that can be changed while a pool runs. */
export type Resizable = Partial<
  Pick<
    PoolOptions,
    | "min"
    | "max"
    | "concurrency"
    | "spare"
    | "queueCapacity"
    | "idleTimeToLive"
    | "maxCalls"
    | "maxLifetime"
    | "strategy"
    | "timeout"
  >
>

/** Makes a call for a fiber, which is given because whoever calls has it at hand already. */
type PoolCall = (
  caller: Fiber.Fiber<unknown, unknown>,
  fn: AnyFunction,
  payload: unknown,
  timeout: number | undefined
) => Effect.Effect<unknown, unknown, unknown>

/** The members of every pool. */
export interface PoolShape {
  /** The pool's id. */
  readonly id: string
  /** The pool now: runners, slots, waiting calls, totals; of this parent process only. */
  readonly status: Effect.Effect<PoolStatus>
  /** What happens from now on; ends with the pool. A reader that falls behind misses the oldest. */
  readonly events: Stream.Stream<PoolEvent>
  /** Changes options while the pool runs; what is not named stays. Dies with a TypeError for values that make no sense. */
  readonly resize: (options: Resizable) => Effect.Effect<void>
  /** Closes the pool: waiting calls fail with `PoolClosed`, those in flight end within `drainTimeout`, runners go. */
  readonly drain: Effect.Effect<void>
  /** @internal */
  readonly call: PoolCall
  /** @internal */
  readonly cast: PoolCall
  /** @internal */
  readonly withRunner: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | FlameError, Exclude<R, Runner>>
}

/** The class of a pool: its key, its layer, its `withRunner`. */
export interface PoolClass<Self, Id extends string> extends Context.Key<Self, PoolShape> {
  new (_: never): AnyPool & { readonly key: Id }
  /** A pool of its own on the backend that is provided. */
  readonly layer: <RHooks = never>(options?: PoolOptions<RHooks>) => Layer.Layer<Self, FlameError, Backend | RHooks>
  /**
   * Runs all calls of this pool inside the effect on one runner, which stays for as long as the effect runs.
   *
   * It holds no slot between calls. Once the runner is lost, further calls fail with `RunnerLost`.
   */
  readonly withRunner: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | FlameError, Exclude<R, Runner> | Self>
}

/**
 * Declares a kind of runners: a pool class to name in contracts and to provide.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 *
 * class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}
 * const pools = Gpu.layer({ max: 2 }).pipe(Layer.provideMerge(FlameLayer.auto()))
 * ```
 */
export const PoolService =
  <Self>() =>
  <const Id extends string>(id: Id): PoolClass<Self, Id> => {
    const key = Context.Service<Self, PoolShape>()(id)
    return Object.assign(key, {
      layer: <RHooks = never>(options?: PoolOptions<RHooks>) =>
        Layer.unwrap(
          Effect.map(Effect.promise(() => import("./PoolLayer.ts")), ({ make }) => Layer.effect(key, make(id, options)))
        ),
      withRunner: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flatMap(key, (pool) => pool.withRunner(effect))
    }) as unknown as PoolClass<Self, Id>
  }

/** The default pool: where a function runs whose contract names none. */
export class Pool extends PoolService<Pool>()("effect-flame/Pool") {}
