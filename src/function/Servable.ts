/** What a runner can serve: functions, and groups of Effect's RPC with the handlers that are provided for them. */
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import type { Implemented } from "./FlameFunction.ts"

/** A group of any procedures. */
export type AnyGroup = RpcGroup.Any

/** Something that `FlameRunner.serve` and `Flame.main` take. */
export type Servable = Implemented<unknown> | AnyGroup

/** What must be provided on a runner that serves it. */
export type NeedsOf<S> = S extends AnyGroup ? GroupNeeds<RpcGroup.Rpcs<S>> : S extends Implemented<infer R> ? R : never

/** The handlers of procedures, their middleware, and what their codecs need. */
export type GroupNeeds<Rpcs extends Rpc.Any> = Rpc.ToHandler<Rpcs> | Rpc.Middleware<Rpcs> | Rpc.ServicesServer<Rpcs>
