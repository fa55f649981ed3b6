/** The program of a runner: the functions that it serves, and where a function runs. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { type BootFailure, NotARunner, servicesFailed } from "./error/BootFailure.ts"
import { BootFailed, FlameError } from "./error/FlameError.ts"
import type { AnyImplemented } from "./function/FlameFunction.ts"
import * as BuildName from "./process/BuildName.ts"
import * as UnsentLogs from "./process/UnsentLogs.ts"
import { LogForward } from "./runner/LogForward.ts"
import { MetricForward } from "./runner/MetricForward.ts"
import * as Role from "./process/Role.ts"
import * as Steps from "./process/Steps.ts"
import { RunnerServer } from "./runner/RunnerServer.ts"
import { functionsOf, partOf } from "./runner/Serving.ts"
import type { NeedsOf, Servable } from "./function/Servable.ts"
import * as Shutdown from "./process/Shutdown.ts"

export { Current } from "./function/Current.ts"
export { runMain } from "./runMain.ts"

/**
 * Serves functions, placed services and groups of `effect/rpc` to the parent of this process.
 *
 * Ends when the parent drains this runner or is gone, or on SIGTERM: calls in flight end first, within `drainTimeout`.
 * Provide the services of the functions, and the handlers and middleware of the groups, around it, and run it by
 * `Flame.runMain`. Fails with `BootFailed` whose cause is `NotARunner` in a process that no pool has started.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Flame, FlameRunner } from "effect-flame"
 *
 * const hello = Flame.fn("hello", {}, () => Effect.log("hello"))
 * FlameRunner.serve([hello]).pipe(Flame.runMain)
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const serve = <const S extends Servable | ReadonlyArray<Servable>>(
  served: S
): Effect.Effect<void, FlameError, NeedsOf<S extends ReadonlyArray<infer One> ? One : S>> =>
  Effect.contextWith((context) => {
    const all: ReadonlyArray<Servable> = isMany(served) ? served : [served]
    // Built here and not around `serve`, because runners of other pools must not build the services of this pool.
    if (all.some((one) => "forPool" in one)) return serveWith(all, Layer.empty)
    return Effect.flatMap(functionsOf(all), (functions) => run(functions, context))
  })

const isMany = (served: Servable | ReadonlyArray<Servable>): served is ReadonlyArray<Servable> => Array.isArray(served)

/**
 * Serves functions with a layer of their services, as `Flame.main` does in a runner.
 *
 * If the layer fails, the parent gets the cause as `ServicesFailed`, and may boot another runner. Otherwise like `serve`.
 *
 * @example
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Flame, FlameRunner } from "effect-flame"
 *
 * const hello = Flame.fn("hello", {}, () => Effect.log("hello"))
 * FlameRunner.serveWith([hello], Layer.effectDiscard(Effect.log("built"))).pipe(Flame.runMain)
 * ```
 *
 * @since 0.1.0
 * @category running
 */
export const serveWith = <ES, RS>(
  served: ReadonlyArray<Servable>,
  services: Layer.Layer<never, ES, RS>
): Effect.Effect<void, ES | FlameError, RS> =>
  Effect.scoped(
    Effect.gen(function* () {
      const scope = yield* Scope.fork(yield* Effect.scope)
      const role = Role.current()
      const part = partOf(served, role._tag === "Runner" ? role.pool : "")
      const all = part.services === undefined ? services : Layer.provideMerge(part.services, services)
      const built = yield* Effect.exit(
        Effect.updateContext(
          Layer.buildWithScope(all as Layer.Layer<never, ES, RS>, scope),
          forwarded<RS | Scope.Scope>
        )
      )
      if (Exit.isFailure(built)) {
        if (!Cause.hasInterruptsOnly(built.cause)) {
          Role.report(servicesFailed(built.cause, role._tag === "Runner" ? poolsBeside(role.pool, part.served) : []))
        }
        return yield* Effect.failCause(built.cause)
      }
      const functions = yield* functionsOf(part.served)
      // Closed before the goodbye, so that log lines of the services' finalizers reach the parent like any other line.
      const leaving = Scope.close(scope, Exit.void)
      yield* Effect.contextWith((context: Context.Context<never>) =>
        run(functions, Context.merge(context, built.value), leaving)
      )
    })
  )

/** Pools of served functions other than the runner's own. */
const poolsBeside = (own: string, served: ReadonlyArray<Servable>): ReadonlyArray<string> => {
  const keys = served.flatMap((one) => ("pool" in one ? [(one.pool as { readonly key: string }).key] : []))
  return [...new Set(keys)].filter((key) => key !== own)
}

let logs: LogForward | undefined

/** Makes a context of a runner in which log lines go to the parent. */
const forwarded = <R>(context: Context.Context<R>): Context.Context<R> => {
  if (Role.current()._tag !== "Runner") return context
  if (logs === undefined) {
    const own = (logs = new LogForward())
    UnsentLogs.register(() => own.takeUnsent())
  }
  return logs.around(context)
}

const run = Effect.fnUntraced(function* (
  functions: ReadonlyArray<AnyImplemented>,
  context: Context.Context<never>,
  leaving?: Effect.Effect<void>
) {
  const role = Role.current()
  if (role._tag === "Refused") Role.complain(role.detail)
  if (role._tag !== "Runner") return yield* notARunner(role)
  const names = functions.map((fn) => fn.name)
  const twice = names.find((name, index) => names.indexOf(name) < index)
  if (twice !== undefined) {
    const detail = `two functions of a runner have the name ${twice}: names are how calls find them`
    Role.report(new NotARunner({ detail }))
    return yield* Effect.die(new Error(detail))
  }
  const forwardedContext = forwarded(context)
  const metrics = new MetricForward(forwardedContext)
  const server = new RunnerServer({
    transport: role.transport(),
    info: { id: role.id, pool: role.pool, parent: role.parent },
    life: role.life,
    build: BuildName.of(process.argv[1]),
    functions,
    context: forwardedContext,
    metrics,
    ...(logs === undefined ? {} : { logs }),
    leaving: leaving === undefined ? metrics.flush : Effect.andThen(leaving, metrics.flush),
    steps: Steps.now
  })
  const unregister = Shutdown.onSignal({
    drain: Effect.suspend(() => {
      server.drain()
      return Effect.ignore(Deferred.await(server.done))
    })
  })
  server.start(Role.bootTimeLeft(role))
  yield* Deferred.await(server.done).pipe(
    Effect.catch((cause: BootFailure) => Effect.fail(failed(role.pool, role.id, cause))),
    Effect.onInterrupt(() => server.abort),
    Effect.ensuring(Effect.sync(unregister))
  )
})

const notARunner = (role: Role.Parent | Role.Refused): Effect.Effect<never, FlameError> =>
  Effect.fail(
    failed(
      "?",
      undefined,
      new NotARunner({
        detail:
          role._tag === "Refused"
            ? role.detail
            : "this process serves functions, but no pool has started it: start the app, whose pool starts this file when it needs a runner"
      })
    )
  )

const failed = (pool: string, runner: string | undefined, cause: BootFailure): FlameError =>
  new FlameError({
    reason: new BootFailed({
      pool,
      attempts: runner === undefined ? 0 : 1,
      cause,
      ...(runner === undefined ? {} : { runner })
    })
  })
