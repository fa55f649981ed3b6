/** The program of an app whose one entry has two roles, and the run of an app that is a Layer. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { FlameError } from "./error/FlameError.ts"
import type { AnyPool, PoolKey } from "./function/FlameFunction.ts"
import type { NeedsOf, PoolFunctions, Servable } from "./function/Servable.ts"
import * as Entry from "./process/Entry.ts"
import * as Role from "./process/Role.ts"
import * as Shutdown from "./process/Shutdown.ts"
import { isSnapshot, onStart } from "./process/SnapshotStart.ts"

type ServicesOption<R, E, RIn> = [R] extends [never]
  ? { readonly services?: Layer.Layer<never, E, RIn> }
  : { readonly services: Layer.Layer<R, E, RIn> }

/**
 * Functions that only the runners of one pool serve, with services that only those runners build.
 *
 * A pool without a GPU can so boot beside a pool with a GPU: its runners do not build the services that need the GPU.
 * `services` must provide all that the functions need. The `services` of `Flame.main` must provide what this layer needs. A
 * call of such a function on another pool fails with `FunctionMissing`. `Flame.main`, `FlameRunner.serve`, `FlameLayer.test`
 * and `FlameLayer.mock` take the result among their functions.
 *
 * @example
 * ```ts
 * import { Context, Effect, Layer, Schema } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 *
 * class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}
 * class Model extends Context.Service<Model, { readonly name: string }>()("app/Model") {}
 * const ModelLive = Layer.effect(Model, Effect.succeed({ name: "8 GB of weights" }))
 *
 * const train = Flame.fn("train", { success: Schema.String, pool: Gpu }, () => Effect.map(Model, ({ name }) => name))
 * const cut = Flame.fn("cut", { success: Schema.String }, () => Effect.succeed("cut"))
 *
 * Flame.main({
 *   functions: [cut, Flame.forPool(Gpu, { functions: [train], services: ModelLive })],
 *   app: Effect.andThen(Flame.call(cut), Flame.call(train)),
 *   flame: Gpu.layer({ max: 1 }).pipe(Layer.provideMerge(FlameLayer.auto()))
 * }).pipe(Flame.runMain)
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const forPool = <const Fs extends ReadonlyArray<Servable>, PoolId extends AnyPool, ES = never, RS = never>(
  pool: PoolKey<PoolId>,
  options: { readonly functions: Fs } & ServicesOption<NoInfer<NeedsOf<Fs[number]>>, ES, RS>
): PoolFunctions<RS> => ({ forPool: pool.key, functions: options.functions, services: options.services }) as never

/**
 * Makes the program of an app whose one entry has two roles. How the process was started decides between them.
 *
 * A parent builds `flame` and runs `app`. A runner builds `services` and serves `functions`. Layers that are provided
 * around `main` are built in both. Run the program by `Flame.runMain`. Fails with the errors of `app`, `flame` and
 * `services`, and with a `FlameError` where the process cannot be what it was started as.
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
 *
 * @since 0.1.0
 * @category running
 */
export const main = <const Fs extends ReadonlyArray<Servable>, A, E, R, PoolOut, EF, RF, ES = never, RS = never>(
  options: {
    /** The functions that runners serve, placed services, and groups of `effect/rpc` whose handlers `services` builds. */
    readonly functions: Fs
    /** The pools of the app, built in the parent only: such as `FlameLayer.auto()`. */
    readonly flame: Layer.Layer<PoolOut, EF, RF>
    /**
     * The app, run in the parent only. An Effect runs once. A Layer, such as a server, runs until a signal, which closes
     * it before the pools drain.
     */
    readonly app: Effect.Effect<A, E, R> | Layer.Layer<A, E, R>
    /**
     * The file that runners run: a `file:` URL, or a path from the current directory. Default: the file of the program
     * that calls `Flame.main`, itself or by a `start()` that programs share.
     */
    readonly entry?: string | URL
  } & ServicesOption<NoInfer<NeedsOf<Fs[number]>>, ES, RS>
): Effect.Effect<void, E | EF | ES | FlameError, Exclude<R, PoolOut | Scope.Scope> | RF | RS> => {
  onStart(() => {
    const entry = options.entry ?? Entry.callerFile()
    if (entry !== undefined) Entry.register(String(entry))
  })
  // Runners of a snapshot begin with this module loaded.
  if (isSnapshot) void import("./FlameRunner.ts")
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
 * On the first signal `Flame.runMain` closes this Layer before it drains the pools. The server stops accepting. The requests
 * that it has accepted finish, with all the calls that they make. `Flame.main` does this for an `app` that is a Layer;
 * `launch` is for a program without `Flame.main`. Closing and draining share one budget, the pool's `drainTimeout`; when it
 * is over the pools cut the calls that are left. Fails with the error of the Layer.
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
      // The pools around this effect must not close before the app has closed.
      return restore(Fiber.await(running)).pipe(
        Effect.onInterrupt(() => Fiber.interrupt(running)),
        Effect.ensuring(Effect.sync(unregister)),
        Effect.flatMap((exit) =>
          isStopped && Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? Effect.void : exit
        )
      )
    })
  )
