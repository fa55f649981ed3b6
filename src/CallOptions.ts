/** Options of one call, or of one client. */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import { fromInputUnsafe, toMillis } from "effect/Duration"
import type * as Schema from "effect/Schema"
import type { AnyPool } from "./function/FlameFunction.ts"
import type { PoolShape } from "./pool/runtime/PoolShape.ts"

/**
 * The options by which one call differs from its function's contract.
 *
 * @since 0.1.0
 * @category calling
 */
export interface CallOptions<PoolId> {
  /** The pool to run on. Default: the function's own. */
  readonly pool?: Context.Key<PoolId, PoolShape>
  /**
   * The whole budget of the call: waiting, booting and running. At its end the call fails with `TimedOut` and its function
   * is interrupted. Default: the function's `timeout`, then the pool's. `Infinity` means no budget, and overrides both.
   */
  readonly timeout?: Duration.Input
}

/**
 * The arguments after the function. A function without a payload needs none.
 *
 * @since 0.1.0
 * @category calling
 */
export type CallArgs<P extends Schema.Top, O> = [P["~type.make.in"]] extends [void]
  ? [payload?: void, options?: O]
  : [payload: P["~type.make.in"], options?: O]

/**
 * The pool that options name, or the function's own.
 *
 * @since 0.1.0
 * @category calling
 */
export type PoolOf<O, Default> = O extends { readonly pool: Context.Key<infer Id, PoolShape> } ? Id : Default
/**
 * Options with a pool of any kind.
 *
 * @since 0.1.0
 * @category calling
 */
export type AnyCallOptions = CallOptions<AnyPool>

/** A budget in milliseconds. */
export const millisOf = (timeout: Duration.Input | undefined): number | undefined =>
  timeout === undefined ? undefined : toMillis(fromInputUnsafe(timeout))
