/**
 * What an app calls: declare functions, call them, and run the program that has them.
 *
 * The door of function modules: it loads neither the pool nor what runs inside a runner until one of them is built.
 */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
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
import { Current } from "./function/Current.ts"
import * as Entry from "./process/Entry.ts"
import * as Role from "./process/Role.ts"
import * as Shutdown from "./process/Shutdown.ts"
import type { NeedsOf, Servable } from "./function/Servable.ts"

export type { CallArgs, CallOptions } from "./CallOptions.ts"
export { isRetryable, RemoteDefect } from "./error/FlameError.ts"
export { ended, implementService, place, service } from "./FlameService.ts"
export { PoolService } from "./pool/Pool.ts"
export { type CallTimes, explain } from "./pool/status/CallTimes.ts"
export { propagate } from "./function/Propagate.ts"
export { runMain } from "./runMain.ts"

type AnyPool = FlameFunction.AnyPool
type Fields = Schema.Struct.Fields

/**
 * Declares a function with its code: a piece of the app that runs on a runner of its pool when it is called.
 *
 * `payload` is fields or any schema, `error` its own typed error, `timeout` the budget of a call that sets none,
 * `idempotent: true` lets a call run again when its runner is lost. Services it needs are built on the runner. With
 * `stream: true` its code gives a Stream, or an Effect of one; `success` is the schema of an item, and `Flame.stream`
 * takes it.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame } from "effect-flame"
 *
 * const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))
 * const nine = Flame.call(square, { n: 3 })
 * ```
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

/** Declares a function without its code, so that a parent need not load it; `implement` gives it the code. */
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

export {
  /** Gives a declared function its code, in a module that only runners load. */
  implement
} from "./function/FlameFunction.ts"

type AnyContract = FlameFunction.Contract<Schema.Top | Fields, Schema.Top, Schema.Top, AnyPool> &
  FlameFunction.Streaming<boolean>

const declare = (name: string, contract: AnyContract): FlameFunction.AnyFunction =>
  FlameFunction.make(name, { ...contract, pool: contract.pool ?? Pool } as never)

/**
 * Runs a function on a runner of its pool and gives what it gives.
 *
 * Interrupting it interrupts the function and waits for its finalizers there, at most `cancelGrace`. It is run at most
 * once, unless the function is `idempotent`. Fails with the function's own error, or with a `FlameError` whose reason
 * says what happened; dies with a `RemoteDefect` where the function dies.
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
 * Hands a call over to its pool without waiting for it: it returns once the pool has accepted the call.
 *
 * The payload is encoded before it returns. The call belongs to the pool's scope, also inside of a `withRunner`, so that
 * any runner may run it; what it fails with is logged, counted and told in the pool's events.
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
 * Runs a streaming function on a runner of its pool and gives its items as they come.
 *
 * A slow consumer holds the function back: it is ahead by at most the window of its channel, 128 KiB of encoded items,
 * up to 4 MiB where the consumer keeps up and nothing else is under way. Its end before the last item interrupts the
 * function and waits for its finalizers, as `call` does. Errors come after the items before them. Runs again where the
 * function is `idempotent` and no item has come; never later. `timeout` is the budget of the whole stream, from the call
 * to its last item, the consumer's own time included: at its end what was not pulled yet is dropped. Inside of a function
 * it fails with `PoolMissing`: streams are taken by the parent only.
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
 * The client of an RpcGroup whose handlers are served by the runners of a pool, `FlameRunner.serve(group)`.
 *
 * Each request is a call of its own under the tag of its procedure: it waits for a slot, has the budget `timeout`, is run
 * at most once, and fails with a `FlameError` beside its own errors; of a stream everything that `stream` says holds.
 * Interrupting it waits for the finalizers of its handler, at most `cancelGrace`: also for a handler that is
 * `Rpc.uninterruptible`, which costs its runner when it takes longer. A defect is that of its request alone, in the
 * procedure's own defect schema. With `discard: true` a request completes when its handler has ended.
 *
 * Middleware runs on both sides, and headers cross, at most 4 KiB of them. Slots bound what runs at a time, so
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
      ({ make }) => make(group, (caller, fn, payload) => callIn("call", pool, key, caller, fn, payload, timeout))
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
    return callIn(how, pool, key, fiber, fn, payload, millisOf(options?.timeout))
  })

const callIn = (
  how: "call" | "cast",
  pool: PoolShape | undefined,
  key: Context.Key<unknown, PoolShape>,
  caller: Fiber.Fiber<unknown, unknown>,
  fn: FlameFunction.AnyFunction,
  payload: unknown,
  timeout: number | undefined
): Effect.Effect<unknown, unknown, unknown> =>
  pool === undefined ? fromInside(how, caller, fn, key, payload, timeout) : pool[how](caller, fn, payload, timeout)

/** Types keep an app from calling without the pool; a function reaches the pools of its parent by their ids. */
const fromInside = (
  how: "call" | "cast",
  caller: Fiber.Fiber<unknown, unknown>,
  fn: FlameFunction.AnyFunction,
  key: Context.Key<unknown, PoolShape>,
  payload: unknown,
  timeout: number | undefined
): Effect.Effect<unknown, unknown, unknown> => {
  const current = Context.getOrUndefined(caller.context as Context.Context<Current>, Current)
  if (current?.nesting !== undefined) {
    return current.nesting.relay(current, caller, { fn, payload, timeout, pool: key.key, cast: how === "cast" })
  }
  const detail = "provide a FlameLayer, or the layer of the pool, around the program"
  return Effect.fail(new FlameError({ reason: new PoolMissing({ pool: key.key, function: fn.name, detail }) }))
}

type ServicesOption<R, E, RIn> = [R] extends [never]
  ? { readonly services?: Layer.Layer<never, E, RIn> }
  : { readonly services: Layer.Layer<R, E, RIn> }

/**
 * The program of an app whose one entry has two roles; which one is decided by how the process was started.
 *
 * A parent builds `flame` and runs `app`; a runner builds `services` and serves `functions`. What is provided around it
 * is built in both. `entry` is the file that calls it, unless it is given: runners run that file. Run it by
 * `Flame.runMain`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 *
 * const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))
 *
 * Flame.main({
 *   functions: [square],
 *   app: Effect.flatMap(Flame.call(square, { n: 3 }), Effect.log),
 *   flame: FlameLayer.auto({ max: 4 })
 * }).pipe(Flame.runMain)
 * ```
 */
export const main = <const Fs extends ReadonlyArray<Servable>, A, E, R, PoolOut, EF, RF, ES = never, RS = never>(
  options: {
    /** Functions, and groups of `effect/rpc` whose handlers `services` brings. */
    readonly functions: Fs
    readonly flame: Layer.Layer<PoolOut, EF, RF>
    readonly app: Effect.Effect<A, E, R> | Layer.Layer<A, E, R>
    readonly entry?: string | URL
  } & ServicesOption<NoInfer<NeedsOf<Fs[number]>>, ES, RS>
): Effect.Effect<void, E | EF | ES | FlameError, Exclude<R, PoolOut | Scope.Scope> | RF | RS> => {
  const entry = options.entry ?? Entry.callerFile()
  if (entry !== undefined) Entry.register(String(entry))
  return Effect.suspend((): Effect.Effect<void, unknown, unknown> => {
    if (Role.current()._tag === "Runner") return asRunner(options.functions, options.services)
    return asParent(options.app, options.flame)
  }) as Effect.Effect<void, E | EF | ES | FlameError, Exclude<R, PoolOut | Scope.Scope> | RF | RS>
}

const asRunner = <ES, RS>(
  functions: ReadonlyArray<Servable>,
  services: Layer.Layer<never, ES, RS> | undefined
): Effect.Effect<void, ES | FlameError, RS> =>
  Effect.flatMap(
    Effect.promise(() => import("./FlameRunner.ts")),
    (FlameRunner) => FlameRunner.serveWith(functions, services ?? Layer.empty)
  )

const asParent = <A, E, R, PoolOut, EF, RF>(
  app: Effect.Effect<A, E, R> | Layer.Layer<A, E, R>,
  flame: Layer.Layer<PoolOut, EF, RF>
): Effect.Effect<void, E | EF, Exclude<R, PoolOut | Scope.Scope> | RF> => {
  const program = Layer.isLayer(app) ? launch(app) : Effect.scoped(app as Effect.Effect<A, E, R>)
  return Effect.asVoid(Effect.provide(program as Effect.Effect<unknown, E, R>, flame)) as Effect.Effect<
    void,
    E | EF,
    Exclude<R, PoolOut | Scope.Scope> | RF
  >
}

/**
 * Runs an app that is a Layer, such as an HTTP server, until it fails, is interrupted or `Flame.runMain` closes it.
 *
 * On the first signal `Flame.runMain` closes this Layer before it drains the pools: the server stops accepting, and the
 * requests that it has accepted finish, with all the calls that they make. `Flame.main` does this for an `app` that is a
 * Layer; `launch` is for a program without `Flame.main`. Closing and draining share one budget, the pool's
 * `drainTimeout`; when it is over the pools cut the calls that are left. Fails with the error of the Layer.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 *
 * const Server = Layer.effectDiscard(Effect.acquireRelease(Effect.log("listening"), () => Effect.log("closed")))
 *
 * Flame.launch(Server).pipe(
 *   Effect.provide(FlameLayer.auto({ entry: new URL("./runner.ts", import.meta.url) })),
 *   Flame.runMain
 * )
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const launch = <A, E, R>(app: Layer.Layer<A, E, R>): Effect.Effect<void, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkChild(restore(Layer.launch(app))), (running) => {
      let isStopped = false
      const unregister = Shutdown.closeFirst(
        Effect.suspend(() => {
          isStopped = true
          return Fiber.interrupt(running)
        })
      )
      // the pools around this effect must not close before the app has
      return restore(Fiber.await(running)).pipe(
        Effect.onInterrupt(() => Fiber.interrupt(running)),
        Effect.ensuring(Effect.sync(unregister)),
        Effect.flatMap((exit) =>
          isStopped && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? Effect.void : exit
        )
      )
    })
  )
