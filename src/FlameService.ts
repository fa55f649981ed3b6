/** Services on runners, as an app uses them: declare a service, place it, wait for its end. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcClient from "effect/rpc/RpcClient"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type AnyCallOptions, type CallArgs, millisOf, type PoolOf } from "./CallOptions.ts"
import { FlameError, PoolMissing } from "./error/FlameError.ts"
import { Current, type CurrentCall, type Wanted } from "./function/Current.ts"
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
 * `build` is its code: it gives the layer of the group's handlers, which is built on the runner from the payload, in a
 * Scope of its own. Other services that the layer needs are built on the runner. Without `build` the code comes by
 * `Flame.implementService`. `offers` is a group that its owner answers, so that the service can hand work back.
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
 *
 * @since 0.1.0
 * @category declaring
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

/**
 * Gives a declared service its code, in a module that only runners load. The result is the same service, to place and to
 * serve.
 *
 * `build` gets the payload, and an object with the `owner` of the service, `draining`, `end` and `die`. `build` returns the
 * layer of the group's handlers, which is built each time that the service is placed, in a Scope of its own.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Rpc, RpcGroup } from "effect/rpc"
 * import { Flame } from "effect-flame"
 *
 * class Words extends RpcGroup.make(Rpc.make("length", { payload: { text: Schema.String }, success: Schema.Int })) {}
 * const words = Flame.service("words", { group: Words })
 * const wordsLive = Flame.implementService(words, () =>
 *   Words.toLayer({ length: ({ text }) => Effect.succeed(text.length) })
 * )
 * ```
 *
 * @since 0.1.0
 * @category declaring
 */
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
 * Places a service on a runner, where it holds a slot until the Scope closes or the service ends. Succeeds with its client.
 *
 * - `timeout` covers waiting, booting and building. A placed service has no budget.
 * - Any number of requests and streams run at once over one channel, outside of the slots and the queue of the pool. An
 *   interrupted request waits for the finalizers of its handler, at most `cancelGrace`.
 * - Closing the Scope runs the finalizers of the service on the runner and waits for them, at most `cancelGrace`.
 * - The runner stays for the service, whatever `idleTimeToLive` and `maxLifetime` are. When the runner has to go, the
 *   service gets `draining`, and `drainTimeout` to end by itself.
 *
 * Fails with the service's own error if the service cannot be built, and then its slot is free. Otherwise fails with a
 * `FlameError`, as a call does. Requests to a service that has ended fail with `ServiceEnded`. Requests to a service whose
 * runner was lost fail with `RunnerLost`.
 *
 * Inside of a function the parent places the service, which ends with the function's call at the latest. The handlers of the
 * group that the service `offers` are those around `place`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Rpc, RpcGroup } from "effect/rpc"
 * import { Flame } from "effect-flame"
 *
 * class Words extends RpcGroup.make(Rpc.make("length", { payload: { text: Schema.String }, success: Schema.Int })) {}
 * const words = Flame.service("words", { group: Words })
 *
 * const three = Effect.scoped(Effect.flatMap(Flame.place(words), (client) => client.length({ text: "abc" })))
 * ```
 *
 * @since 0.1.0
 * @category calling
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
    const timeout = millisOf(options?.timeout)
    return (
      pool === undefined
        ? fromInside(fiber, { fn: service, payload, timeout, pool: key.key, cast: false })
        : pool.place(fiber, service, payload, timeout)
    ) as Effect.Effect<never, unknown, unknown>
  })

/** Places a service without a provided pool. Inside of a function, the parent's pools are found by their ids. */
const fromInside = (owner: Fiber.Fiber<unknown, unknown>, wanted: Wanted): Effect.Effect<unknown, unknown, unknown> => {
  const current = Context.getOrUndefined(owner.context as Context.Context<Current>, Current) as CurrentCall | undefined
  if (current?.nesting !== undefined) return current.nesting.place(current, owner, wanted)
  const detail = "provide a FlameLayer, or the layer of the pool, around the program"
  return Effect.fail(
    new FlameError({ reason: new PoolMissing({ pool: wanted.pool, function: wanted.fn.name, detail }) })
  )
}

/**
 * Waits for the end of a placed service. `client` is the client that `Flame.place` gave.
 *
 * Succeeds when the service has ended by itself, or because its owner's Scope has closed. Fails with a `FlameError` if
 * the service was lost with its runner. Dies with a `RemoteDefect` if the service died.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Rpc, RpcGroup } from "effect/rpc"
 * import { Flame } from "effect-flame"
 *
 * class Words extends RpcGroup.make(Rpc.make("length", { payload: { text: Schema.String }, success: Schema.Int })) {}
 * const words = Flame.service("words", { group: Words })
 *
 * const watched = Effect.scoped(Effect.flatMap(Flame.place(words), (client) => Flame.ended(client)))
 * ```
 *
 * @since 0.1.0
 * @category calling
 */
export const ended = (client: object): Effect.Effect<void, FlameError> =>
  Effect.flatMap(
    Effect.promise(() => import("./call/peer/ServiceEnd.ts")),
    (Endings) => Endings.of(client)
  )
