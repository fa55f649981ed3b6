/** What an app calls to have services on runners: declare them, place them, know how they end. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcClient from "effect/rpc/RpcClient"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type AnyCallOptions, type CallArgs, millisOf, type PoolOf } from "./CallOptions.ts"
import { FlameError, PoolMissing } from "./error/FlameError.ts"
import type * as FlameFunction from "./function/FlameFunction.ts"
import * as PlacedService from "./function/PlacedService.ts"
import { Pool } from "./pool/Pool.ts"
import type { PoolShape } from "./pool/runtime/PoolShape.ts"
import type { GroupNeeds } from "./function/Servable.ts"

type AnyPool = FlameFunction.AnyPool
type Fields = Schema.Struct.Fields

/**
 * Declares a service that lives on one runner once it is placed, by the RpcGroup that it answers.
 *
 * With `build` it has its code: the layer of the group's handlers, built on the runner from the payload, in a Scope of
 * its own; what it needs besides is built on the runner. Without it `Flame.implementService` gives it the code. `offers`
 * is a group that its owner answers.
 *
 * @example
 * ```ts
 * import { Effect, Ref, Schema } from "effect"
 * import { Rpc, RpcGroup } from "effect/rpc"
 * import { Flame } from "effect-flame"
 *
 * class Counting extends RpcGroup.make(Rpc.make("next", { success: Schema.Int })) {}
 *
 * const counter = Flame.service("counter", { group: Counting, payload: { from: Schema.Int } }, ({ from }) =>
 *   Counting.toLayer(
 *     Effect.map(Ref.make(from), (count) => ({ next: () => Ref.getAndUpdate(count, (n) => n + 1) }))
 *   )
 * )
 * const two = Effect.scoped(
 *   Effect.flatMap(Flame.place(counter, { from: 1 }), (client) => Effect.all([client.next(), client.next()]))
 * )
 * ```
 */
export const service: {
  <
    const Name extends string,
    Rpcs extends Rpc.Any,
    R,
    P extends Schema.Top | Fields = Schema.Void,
    E extends Schema.Top = Schema.Never,
    Offered extends Rpc.Any = never,
    PoolId extends AnyPool = Pool
  >(
    name: Name,
    contract: PlacedService.ServiceContract<P, E, Rpcs, Offered, PoolId>,
    build: PlacedService.ServiceCode<FlameFunction.SchemaOf<P>, E, Rpcs, Offered, R>
  ): PlacedService.PlacedService<Name, FlameFunction.SchemaOf<P>, E, Rpcs, Offered, PoolId> &
    FlameFunction.Implemented<PlacedService.ServiceNeeds<R, FlameFunction.SchemaOf<P>, E, Rpcs, Offered>>
  <
    const Name extends string,
    Rpcs extends Rpc.Any,
    P extends Schema.Top | Fields = Schema.Void,
    E extends Schema.Top = Schema.Never,
    Offered extends Rpc.Any = never,
    PoolId extends AnyPool = Pool
  >(
    name: Name,
    contract: PlacedService.ServiceContract<P, E, Rpcs, Offered, PoolId>
  ): PlacedService.PlacedService<Name, FlameFunction.SchemaOf<P>, E, Rpcs, Offered, PoolId>
} = (name: string, contract: object, build?: PlacedService.AnyPlacedCode["build"]): never =>
  PlacedService.make(name, { pool: Pool, ...contract } as never, build) as never

/** Gives a declared service its code, in a module that only runners load. */
export const implementService: <
  Name extends string,
  P extends Schema.Top,
  E extends Schema.Top,
  Rpcs extends Rpc.Any,
  Offered extends Rpc.Any,
  PoolId extends AnyPool,
  R
>(
  service: PlacedService.PlacedService<Name, P, E, Rpcs, Offered, PoolId>,
  build: PlacedService.ServiceCode<P, E, Rpcs, Offered, R>
) => PlacedService.PlacedService<Name, P, E, Rpcs, Offered, PoolId> &
  FlameFunction.Implemented<PlacedService.ServiceNeeds<NoInfer<R>, P, E, Rpcs, Offered>> = (service, build) =>
  PlacedService.implement(service, build) as never

/**
 * Places a service on a runner, where it holds a slot until the Scope closes or the service ends, and gives its client.
 *
 * The budget `timeout` covers waiting, booting and building; after that there is none. It fails with the service's own
 * error where it cannot be built, and then its slot is free. Any number of requests and streams go at once over one
 * channel, outside of the slots and the queue of the pool; a request that is interrupted waits for the finalizers of its
 * handler, at most `cancelGrace`. Closing the Scope runs the service's finalizers on the runner, and waits for them as
 * long. The runner stays for it, whatever `idleTimeToLive` and `maxLifetime` are; when it has to go the service is told
 * and has `drainTimeout`.
 *
 * Requests to a service that has ended fail with `ServiceEnded`, those to one whose runner was lost with `RunnerLost`;
 * `Flame.ended` tells its owner so. The handlers of the group that it `offers` are those around `place`. A function cannot
 * place services.
 */
export const place = <
  Name extends string,
  P extends Schema.Top,
  E extends Schema.Top,
  Rpcs extends Rpc.Any,
  Offered extends Rpc.Any,
  PoolId extends AnyPool,
  const O extends AnyCallOptions = {}
>(
  service: PlacedService.PlacedService<Name, P, E, Rpcs, Offered, PoolId>,
  ...args: CallArgs<P, O & AnyCallOptions>
): Effect.Effect<
  RpcClient.RpcClient<Rpcs, FlameError>,
  E["Type"] | FlameError,
  | PoolOf<O, PoolId>
  | Scope.Scope
  | P["EncodingServices"]
  | E["DecodingServices"]
  | Rpc.MiddlewareClient<Rpcs>
  | Rpc.ServicesClient<Rpcs>
  | GroupNeeds<Offered>
> =>
  Effect.withFiber((fiber): Effect.Effect<never, unknown, unknown> => {
    const [payload, options] = args as readonly [payload: unknown, options?: AnyCallOptions]
    const key = options?.pool ?? (service.pool as Context.Key<unknown, PoolShape>)
    const pool = Context.getOrUndefined(fiber.context, key as Context.Key<never, PoolShape>)
    const placed = pool?.place?.(fiber, service, payload, millisOf(options?.timeout))
    if (placed !== undefined) return placed as Effect.Effect<never, unknown, unknown>
    const detail =
      pool === undefined
        ? "provide a FlameLayer, or the layer of the pool, around the program"
        : "a function cannot place services; its parent can"
    return Effect.fail(new FlameError({ reason: new PoolMissing({ pool: key.key, function: service.name, detail }) }))
  })

/**
 * Completes when a placed service has ended, by itself or because its owner's Scope is closed; fails with a `FlameError`
 * where it was lost with its runner, and dies with a `RemoteDefect` where it died. `client` is what `place` gave.
 */
export const ended = (client: object): Effect.Effect<void, FlameError> =>
  Effect.flatMap(
    Effect.promise(() => import("./pool/runtime/ServiceEnd.ts")),
    (Endings) => Endings.of(client)
  )
