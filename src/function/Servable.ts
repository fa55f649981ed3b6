/** The things that a runner can serve: functions, placed services, groups of Effect's RPC, and all of these for one pool. */
import type * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import type { Implemented } from "./FlameFunction.ts"

/** A group of any procedures. */
export type AnyGroup = RpcGroup.Any

/** Something that `FlameRunner.serve` and `Flame.main` take. */
export type Servable = Implemented<unknown> | AnyGroup | PoolFunctions<unknown>

/**
 * Functions that only the runners of one pool serve, with the layer of their services, which only these runners build.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolFunctions<out R> {
  /** Services that the layer of the services needs on the runner. */
  readonly "~R": R
  /** Id of the pool. */
  readonly forPool: string
  readonly functions: ReadonlyArray<Servable>
  readonly services: Layer.Layer<never, unknown> | undefined
}

/** The services that must be provided on a runner that serves it. */
export type NeedsOf<S> = S extends AnyGroup
  ? GroupNeeds<RpcGroup.Rpcs<S>>
  : S extends { readonly "~R": infer R }
    ? R
    : never

/** The handlers of procedures, their middleware, and what their codecs need. */
export type GroupNeeds<Rpcs extends Rpc.Any> = Rpc.ToHandler<Rpcs> | Rpc.Middleware<Rpcs> | Rpc.ServicesServer<Rpcs>
