/** How one call, or one client, differs from what was declared. */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import { fromInputUnsafe, toMillis } from "effect/Duration"
import type * as Schema from "effect/Schema"
import type { AnyPool } from "./function/FlameFunction.ts"
import type { PoolShape } from "./pool/runtime/PoolShape.ts"

/** How one call differs from its function's contract. */
export interface CallOptions<PoolId> {
  /** The pool to run on instead of the function's own. */
  readonly pool?: Context.Key<PoolId, PoolShape>
  /** The whole budget of the call: waiting, booting and running. */
  readonly timeout?: Duration.Input
}

/** The arguments after the function: no payload where there is none. */
export type CallArgs<P extends Schema.Top, O> = [P["~type.make.in"]] extends [void]
  ? [payload?: void, options?: O]
  : [payload: P["~type.make.in"], options?: O]

/** The pool that options name, or the default. */
export type PoolOf<O, Default> = O extends { readonly pool: Context.Key<infer Id, PoolShape> } ? Id : Default
/** Options with a pool of any kind. */
export type AnyCallOptions = CallOptions<AnyPool>

/** A budget in milliseconds. */
export const millisOf = (timeout: Duration.Input | undefined): number | undefined =>
  timeout === undefined ? undefined : toMillis(fromInputUnsafe(timeout))
