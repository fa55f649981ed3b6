/**
 * Pools as services: the sets of runners of a parent, one of each kind.
 *
 * `Pool` is the default pool. `class Gpu extends PoolService<Gpu>()("app/Gpu") {}` declares another kind.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Backend } from "../backend/Backend.ts"
import type { FlameError } from "../error/FlameError.ts"
import type { AnyPool } from "../function/FlameFunction.ts"
import type { PoolOptions } from "./option/PoolOptions.ts"
import type { PoolShape } from "./runtime/PoolShape.ts"
import type { Runner } from "./runtime/Runner.ts"

/**
 * The class of a pool: its key, its layer, its `withRunner`.
 *
 * @since 0.1.0
 * @category pools
 */
export interface PoolClass<Self, Id extends string> extends Context.Key<Self, PoolShape> {
  new (_: never): AnyPool & { readonly key: Id }
  /** Makes a pool on the provided backend. The end of the layer's scope closes the pool. */
  readonly layer: <RHooks = never>(options?: PoolOptions<RHooks>) => Layer.Layer<Self, FlameError, Backend | RHooks>
  /**
   * Runs all calls of this pool inside the effect on one runner, which stays for as long as the effect runs.
   *
   * The runner is leased, but no slot is held between calls. Waits for a runner for at most the `timeout` of the pool, and
   * fails with `TimedOut` then. Once the runner is lost, every further call inside fails with `RunnerLost`: retry around
   * `withRunner`, not inside. Casts inside run on any runner.
   */
  readonly withRunner: <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | FlameError, Exclude<R, Runner> | Self>
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
 *
 * @since 0.1.0
 * @category pools
 */
export const PoolService =
  <Self>() =>
  <const Id extends string>(id: Id): PoolClass<Self, Id> => {
    const key = Context.Service<Self, PoolShape>()(id)
    return Object.assign(key, {
      layer: <RHooks = never>(options?: PoolOptions<RHooks>) =>
        Layer.unwrap(
          Effect.map(
            Effect.promise(() => import("./runtime/PoolLayer.ts")),
            ({ make }) => Layer.effect(key, make(id, options))
          )
        ),
      withRunner: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flatMap(key, (pool) => pool.withRunner(effect))
    }) as unknown as PoolClass<Self, Id>
  }

/**
 * The default pool, for functions whose contract names no other.
 *
 * @since 0.1.0
 * @category pools
 */
export class Pool extends PoolService<Pool>()("effect-flame/Pool") {}
