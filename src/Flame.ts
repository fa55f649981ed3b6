/**
 * The functions that an app calls: declare functions, call them, and run the program that has them.
 *
 * Modules that declare functions import this door, in parents and in runners. So it loads neither the inside of a pool nor
 * that of a runner. `pool/Pool.ts` imports the inside of a pool when a pool is built. `FlameMain.ts` imports that of a
 * runner in a runner.
 */
import * as Channel from "effect/Channel"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcClient from "effect/rpc/RpcClient"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type AnyCallOptions, type CallArgs, type CallOptions, millisOf, type PoolOf } from "./CallOptions.ts"
import { FlameError, PoolMissing } from "./error/FlameError.ts"
import * as FlameFunction from "./function/FlameFunction.ts"
import { Pool } from "./pool/Pool.ts"
import type { PoolShape } from "./pool/runtime/PoolShape.ts"
import { Current, type CurrentCall, type Wanted } from "./function/Current.ts"

export type { CallArgs, CallOptions } from "./CallOptions.ts"
export { isRetryable, RemoteDefect } from "./error/FlameError.ts"
export { forPool, launch, main } from "./FlameMain.ts"
export { ended, implementService, place, service } from "./FlameService.ts"
export { implement } from "./function/FlameFunction.ts"
export { MaxValue } from "./function/FlameFunction.ts"
export type { PlacedService } from "./function/PlacedService.ts"
export { propagate } from "./function/Propagate.ts"
export type { PoolFunctions } from "./function/Servable.ts"
export { stub, type StubCode } from "./function/Stub.ts"
export { PoolService } from "./pool/Pool.ts"
export { type CallTimes, explain } from "./pool/status/CallTimes.ts"
export { CurrentRole, type ProcessRole, role } from "./process/AppRole.ts"
export { runMain } from "./runMain.ts"

type AnyPool = FlameFunction.AnyPool
type Fields = Schema.Struct.Fields

/**
 * Declares a function with its code: a piece of the app that runs on a runner of its pool when it is called.
 *
 * The contract, of which every part may be left out:
 *
 * - `payload`: fields of a struct, or any schema. Default: the function takes nothing.
 * - `success`: the schema of the result. Default: the function gives nothing.
 * - `error`: the schema of the function's own typed error. Default: the function cannot fail.
 * - `pool`: the pool that it runs on. Default: `Pool`.
 * - `timeout`: the budget of a call that sets none, for waiting, booting and running together. Default: the pool's, which
 *   is none.
 * - `idempotent`: whether a call may run again when its runner is lost. Default false.
 * - `stream`: whether the code gives a Stream, or an Effect of one. `success` is then the schema of an item, and
 *   `Flame.stream` takes the function. Default false.
 *
 * Services that the code needs are built on the runner. Throws if the name is empty or longer than 200 characters, and
 * if no codec can carry a schema. Nothing is registered: a runner serves what `Flame.main` or `FlameRunner.serve` gets.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))
 * const nine = Flame.call(square, { n: 3 })
 * ```
 *
 * @since 0.1.0
 * @category declaring
 */
export const fn: <
  const Name extends string,
  R,
  P extends Schema.Top | Fields = Schema.Void,
  S extends Schema.Top = Schema.Void,
  E extends Schema.Top = Schema.Never,
  PoolId extends AnyPool = Pool,
  const St extends boolean = false
>(
  name: Name,
  contract: FlameFunction.Contract<P, S, E, PoolId> & FlameFunction.Streaming<St>,
  implementation: (payload: FlameFunction.SchemaOf<P>["Type"]) => FlameFunction.Code<St, S, E, R>
) => FlameFunction.DeclaredFunction<St, Name, FlameFunction.SchemaOf<P>, S, E, PoolId> &
  FlameFunction.Implemented<FlameFunction.Needs<R, FlameFunction.SchemaOf<P>, S, E>> = (
  name: string,
  contract: AnyContract,
  implementation: (payload: never) => unknown
): never => FlameFunction.implement(declare(name, contract), implementation as never) as never

/**
 * Declares a function without its code, so that a parent need not load the code. `Flame.implement` adds it.
 *
 * Takes the contract of `Flame.fn` and throws as that does.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const square = Flame.contract("square", { payload: { n: Schema.Int }, success: Schema.Int })
 * const nine = Flame.call(square, { n: 3 })
 * ```
 *
 * @since 0.1.0
 * @category declaring
 */
export const contract: <
  const Name extends string,
  P extends Schema.Top | Fields = Schema.Void,
  S extends Schema.Top = Schema.Void,
  E extends Schema.Top = Schema.Never,
  PoolId extends AnyPool = Pool,
  const St extends boolean = false
>(
  name: Name,
  contract: FlameFunction.Contract<P, S, E, PoolId> & FlameFunction.Streaming<St>
) => FlameFunction.DeclaredFunction<St, Name, FlameFunction.SchemaOf<P>, S, E, PoolId> = (
  name: string,
  contract: AnyContract
): never => declare(name, contract) as never

type AnyContract = FlameFunction.Contract<Schema.Top | Fields, Schema.Top, Schema.Top, AnyPool> &
  FlameFunction.Streaming<boolean>

const declare = (name: string, contract: AnyContract): FlameFunction.AnyFunction =>
  FlameFunction.make(name, { ...contract, pool: contract.pool ?? Pool } as never)

/**
 * Runs a function on a runner of its pool and succeeds with its result.
 *
 * `timeout` is the whole budget: waiting, booting and running. Default: the function's own, then the pool's.
 * Interrupting the call interrupts the function and waits for its finalizers, at most `cancelGrace`. A function runs at
 * most once, unless it is declared `idempotent`.
 *
 * Fails with the function's own error, or with a `FlameError` whose `reason` says what happened. Dies with a
 * `RemoteDefect` if the function dies. Inside of a function the call goes through the parent, to its pools.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))
 *
 * const nine = Flame.call(square, { n: 3 }, { timeout: "10 seconds" }).pipe(
 *   Effect.catchReason("FlameError", "QueueFull", () => Effect.succeed(0))
 * )
 * ```
 *
 * @since 0.1.0
 * @category calling
 */
export const call = <
  Name extends string,
  P extends Schema.Top,
  S extends Schema.Top,
  E extends Schema.Top,
  PoolId extends AnyPool,
  const O extends AnyCallOptions = {}
>(
  fn: FlameFunction.FlameFunction<Name, P, S, E, PoolId>,
  ...args: CallArgs<P, O & AnyCallOptions>
): Effect.Effect<S["Type"], E["Type"] | FlameError, PoolOf<O, PoolId> | FlameFunction.Client<P, S, E>> =>
  withPool("call", fn, args[0], args[1])

/**
 * Hands a call over to its pool without waiting for its result: succeeds once the pool has accepted the call.
 *
 * The payload is encoded, and bytes are copied, before `cast` succeeds. The call belongs to the scope of the pool, also
 * inside of a `withRunner`, so that any runner may run it. A later failure is logged, counted, and an event `CastFailed`
 * of the pool. Fails with a `FlameError` if the pool does not accept the call: `QueueFull`, `PoolClosed`,
 * `InvalidPayload`, `PayloadTooLarge` or `PoolMissing`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const mail = Flame.fn("mail", { payload: { to: Schema.String } }, ({ to }) => Effect.log(`mail to ${to}`))
 * const accepted = Flame.cast(mail, { to: "ada@example.org" })
 * ```
 *
 * @since 0.1.0
 * @category calling
 */
export const cast = <
  Name extends string,
  P extends Schema.Top,
  S extends Schema.Top,
  E extends Schema.Top,
  PoolId extends AnyPool,
  const O extends AnyCallOptions = {}
>(
  fn: FlameFunction.FlameFunction<Name, P, S, E, PoolId>,
  ...args: CallArgs<P, O & AnyCallOptions>
): Effect.Effect<void, FlameError, PoolOf<O, PoolId> | FlameFunction.Client<P, S, E>> =>
  withPool("cast", fn, args[0], args[1]) as Effect.Effect<
    void,
    FlameError,
    PoolOf<O, PoolId> | FlameFunction.Client<P, S, E>
  >

/**
 * Runs a streaming function on a runner of its pool and emits its items as they arrive.
 *
 * - Backpressure: a slow consumer holds the function back. The function is ahead by at most the window of its channel: 128
 *   KiB of encoded items. The window grows to 4 MiB if the consumer keeps up and nothing else is in flight.
 * - End: taking no more items interrupts the function and waits for its finalizers, at most `cancelGrace`.
 * - Errors arrive after the items before them: the function's own error, a `FlameError`, or a `RemoteDefect`.
 * - `timeout` is the budget of the whole stream, from the call to the last item, with the time of the consumer. At its end
 *   items that were not pulled are dropped.
 * - An `idempotent` function is sent again if its runner is lost before the first item, never later.
 *
 * Inside of a function the items pass through the parent, and the stream ends with the function's call at the latest.
 *
 * @example
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const count = Flame.fn("count", { payload: { to: Schema.Int }, success: Schema.Int, stream: true }, ({ to }) =>
 *   Stream.range(1, to)
 * )
 * const sum = Stream.runFold(Flame.stream(count, { to: 10 }), () => 0, (sum, n) => sum + n)
 * ```
 *
 * @since 0.1.0
 * @category calling
 */
export const stream = <
  Name extends string,
  P extends Schema.Top,
  S extends Schema.Top,
  E extends Schema.Top,
  PoolId extends AnyPool,
  const O extends AnyCallOptions = {}
>(
  fn: FlameFunction.FlameStream<Name, P, S, E, PoolId>,
  ...args: CallArgs<P, O & AnyCallOptions>
): Stream.Stream<S["Type"], E["Type"] | FlameError, PoolOf<O, PoolId> | FlameFunction.Client<P, S, E>> =>
  Stream.fromChannel(
    Channel.fromTransformBracket((_upstream, _scope, own) =>
      Effect.provideService(withPool("call", fn, args[0], args[1]) as Pulling, Scope.Scope, own)
    )
  )

type Pulling = Effect.Effect<Pull.Pull<readonly [unknown, ...Array<unknown>]>, unknown, unknown>

/**
 * Makes the client of an RpcGroup whose handlers the runners of a pool serve, by `FlameRunner.serve(group)`.
 *
 * Each request is a call of its own, under the tag of its procedure. A request waits for a slot, has the budget `timeout`,
 * and runs at most once. A request fails with a `FlameError` or its own errors. A streamed procedure behaves as
 * `Flame.stream`. Interrupting a request waits for the finalizers of its handler, at most `cancelGrace`; a handler that is
 * `Rpc.uninterruptible` and takes longer costs its runner. A defect concerns its own request, in the procedure's defect
 * schema. With `discard: true` a request completes when its handler has ended.
 *
 * Middleware runs on both sides. Headers cross, at most 4 KiB of them. The slots of the pool bound what runs at a time, so
 * `Rpc.fork` changes nothing. `primaryKey` is ignored: nothing is stored, and a request that is made twice runs twice.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Rpc, RpcGroup } from "effect/rpc"
 * import { Flame } from "effect-flame"
 *
 * const Sums = RpcGroup.make(Rpc.make("add", { payload: { a: Schema.Int, b: Schema.Int }, success: Schema.Int }))
 * const five = Effect.flatMap(Flame.client(Sums), (sums) => sums.add({ a: 2, b: 3 }))
 * ```
 *
 * @since 0.1.0
 * @category calling
 */
export const client = <Rpcs extends Rpc.Any, PoolId extends AnyPool = Pool>(
  group: RpcGroup.RpcGroup<Rpcs>,
  options: CallOptions<PoolId> = {}
): Effect.Effect<
  RpcClient.RpcClient<Rpcs, FlameError>,
  never,
  PoolId | Rpc.MiddlewareClient<Rpcs> | Rpc.ServicesClient<Rpcs>
> =>
  Effect.contextWith((context: Context.Context<never>) => {
    const key = (options.pool ?? Pool) as Context.Key<unknown, PoolShape>
    const timeout = millisOf(options.timeout)
    const pool = Context.getOrUndefined(context, key as Context.Key<never, PoolShape>)
    return Effect.flatMap(
      Effect.promise(() => import("./function/GroupClient.ts")),
      ({ make }) =>
        make(group, (caller, fn, payload) =>
          pool === undefined
            ? fromInside(caller, { fn, payload, timeout, pool: key.key, cast: false })
            : pool.call(caller, fn, payload, timeout)
        )
    )
  })

const withPool = (
  how: "call" | "cast",
  fn: FlameFunction.AnyFunction,
  payload: unknown,
  options: CallOptions<unknown> | undefined
): Effect.Effect<unknown, unknown, unknown> =>
  Effect.withFiber((fiber) => {
    const key = options?.pool ?? (fn.pool as Context.Key<unknown, PoolShape>)
    const pool = Context.getOrUndefined(fiber.context, key as Context.Key<never, PoolShape>)
    const timeout = options?.timeout === undefined ? undefined : millisOf(options.timeout)
    // `pool/runtime/PoolLayer.ts` implements both members on a parent, `runner/RelayPool.ts` inside of a function
    return pool === undefined
      ? fromInside(fiber, { fn, payload, timeout, pool: key.key, cast: how === "cast" })
      : pool[how](fiber, fn, payload, timeout)
  })

/** A call without a provided pool. Inside of a function, the call reaches the pools of the parent by their ids. */
const fromInside = (
  caller: Fiber.Fiber<unknown, unknown>,
  wanted: Wanted
): Effect.Effect<unknown, unknown, unknown> => {
  const current = Context.getOrUndefined(caller.context as Context.Context<Current>, Current) as CurrentCall | undefined
  if (current?.nesting !== undefined) return current.nesting.relay(current, caller, wanted)
  const detail = "provide a FlameLayer, or the layer of the pool, around the program"
  return Effect.fail(
    new FlameError({ reason: new PoolMissing({ pool: wanted.pool, function: wanted.fn.name, detail }) })
  )
}
