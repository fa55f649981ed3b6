/**
 * A service that lives on one runner: declared by the RpcGroup that it answers, built there from a payload in a Scope of
 * its own.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcClient from "effect/rpc/RpcClient"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"
import type { FlameError } from "../error/FlameError.ts"
import * as FlameFunction from "./FlameFunction.ts"
import * as SchemaLayout from "../schema/SchemaLayout.ts"
import type { AnyGroup, GroupNeeds } from "./Servable.ts"

/**
 * The contract of a placed service: the payload it is built from, the group it answers, the group its owner answers.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServiceContract<
  P extends Schema.Top | Schema.Struct.Fields,
  E extends Schema.Top,
  Rpcs extends Rpc.Any,
  Offered extends Rpc.Any,
  PoolId extends FlameFunction.AnyPool
> {
  /** The procedures that the service answers. */
  readonly group: RpcGroup.RpcGroup<Rpcs>
  /** The schema of what the service is built from: fields of a struct, or any schema. Default: nothing. */
  readonly payload?: P
  /** The schema of the error that building the service can fail with. Default: it cannot fail. */
  readonly error?: E
  /** The procedures that the owner answers, so that the service can hand work back. Default: none. */
  readonly offers?: RpcGroup.RpcGroup<Offered>
  /** The pool where the service is placed, unless `Flame.place` names another. Default: the default pool. */
  readonly pool?: FlameFunction.PoolKey<PoolId>
  /** Budget of a `Flame.place` that names none: waiting, booting and building together. */
  readonly timeout?: Duration.Input | undefined
  /** The largest payload or error that is encoded by a schema, in bytes. Default 32 MiB. */
  readonly maxValue?: number | undefined
}

/**
 * A service of any type, as the engine sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnyService extends FlameFunction.AnyFunction {
  readonly group: AnyGroup
  readonly offers: AnyGroup | undefined
}

/**
 * A declared service: what `Flame.place` takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface PlacedService<
  in out Name extends string,
  out P extends Schema.Top,
  out E extends Schema.Top,
  Rpcs extends Rpc.Any,
  Offered extends Rpc.Any,
  out PoolId extends FlameFunction.AnyPool
> extends AnyService {
  readonly name: Name
  readonly payload: P
  readonly error: E
  readonly pool: FlameFunction.PoolKey<PoolId>
  readonly "~Rpcs": (_: Rpcs) => Rpcs
  readonly "~Offered": (_: Offered) => Offered
}

/**
 * The arguments of a service that is being built, beside its payload.
 *
 * @since 0.1.0
 * @category models
 */
export interface Placed<Offered extends Rpc.Any> {
  /** Its owner, by the group that it offers. */
  readonly owner: RpcClient.RpcClient<Offered, FlameError>
  /** Completes when its runner must go: the service has `drainTimeout` from then on, to end by itself. */
  readonly draining: Effect.Effect<void>
  /** Ends the service: its finalizers run, its owner gets the end, and its slot is free. */
  readonly end: Effect.Effect<void>
  /** Ends the service with a defect, which its owner gets. */
  readonly die: (defect: unknown) => Effect.Effect<void>
}

/**
 * The code of a service: the handlers of its group, built for each time that it is placed.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceCode<
  P extends Schema.Top,
  E extends Schema.Top,
  Rpcs extends Rpc.Any,
  Offered extends Rpc.Any,
  R
> = (payload: P["Type"], placed: Placed<Offered>) => Layer.Layer<Rpc.ToHandler<Rpcs>, E["Type"], R>

/**
 * Services that a placed service still needs, if its code needs `R`.
 *
 * @since 0.1.0
 * @category models
 */
export type ServiceNeeds<
  R,
  P extends Schema.Top,
  E extends Schema.Top,
  Rpcs extends Rpc.Any,
  Offered extends Rpc.Any
> =
  | Exclude<R, FlameFunction.OnRunner | Rpc.ToHandler<Rpcs>>
  | Exclude<GroupNeeds<Rpcs>, Rpc.ToHandler<Rpcs>>
  | Rpc.MiddlewareClient<Offered>
  | Rpc.ServicesClient<Offered>
  | FlameFunction.Server<P, Schema.Void, E>

/**
 * A service with its code, of any type, as a runner sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnyPlacedCode extends FlameFunction.AnyImplemented, AnyService {
  readonly name: string
  readonly layout: string
  readonly stream: boolean
  readonly build: (payload: unknown, placed: Placed<Rpc.Any>) => Layer.Layer<never, unknown, unknown>
}

/**
 * Declares a service, with its code or without; throws when its name or one of its schemas cannot be used.
 *
 * @since 0.1.0
 * @category models
 */
export const make = (
  name: string,
  contract: ServiceContract<Schema.Top | Schema.Struct.Fields, Schema.Top, Rpc.Any, Rpc.Any, FlameFunction.AnyPool> & {
    readonly pool: FlameFunction.PoolKey<FlameFunction.AnyPool>
  },
  build?: AnyPlacedCode["build"]
): AnyService => {
  const { error = Schema.Never, group, offers, payload = Schema.Void, maxValue, pool, timeout } = contract
  const fn = FlameFunction.make(name, {
    payload,
    error,
    pool,
    timeout,
    maxValue,
    success: Schema.Void
  })
  let layout: string | undefined
  return {
    name,
    payload: fn.payload,
    success: fn.success,
    error: fn.error,
    pool: fn.pool,
    timeout: fn.timeout,
    maxValue: fn.maxValue,
    idempotent: false,
    stream: false,
    group,
    offers,
    // Replaces the layout of a result, which a service does not have.
    get layout() {
      const [of = "", , error = ""] = fn.layout.split("-")
      return (layout ??= [of, layoutOf(group, offers), error, "service"].join("-"))
    },
    ...(build === undefined ? {} : { build })
  }
}

/**
 * The same service with its code.
 *
 * @since 0.1.0
 * @category models
 */
export const implement = (service: AnyService, build: AnyPlacedCode["build"]): AnyPlacedCode => {
  const { error, group, idempotent, maxValue, name, offers, payload, pool, stream, success, timeout } = service
  const fields = { error, group, idempotent, maxValue, name, offers, payload, pool, stream, success, timeout, build }
  return Object.defineProperty(fields, "layout", { get: () => service.layout, enumerable: true }) as never
}

const layoutOf = (...groups: ReadonlyArray<RpcGroup.RpcGroup<Rpc.Any> | undefined>): string =>
  SchemaLayout.hash(groups.map((group) => [...(group?.requests.values() ?? [])].map(procedure).join()).join("|")).slice(
    0,
    10
  )

// Found without loading Effect's RPC: the schema of a stream has the schemas of its items and of its error.
const procedure = (rpc: Rpc.Any): string => {
  const { _tag, errorSchema, payloadSchema, successSchema } = rpc as Rpc.AnyWithProps
  const { success = successSchema, error = errorSchema } = successSchema as Schema.Top & {
    readonly success?: Schema.Top
    readonly error?: Schema.Top
  }
  return [_tag, ...[payloadSchema, success, error].map(SchemaLayout.fingerprint), success === successSchema].join(":")
}
