/**
 * A pool: the parent's set of runners of one kind, as a service.
 *
 * `Pool` is the default one; `class Gpu extends PoolService<Gpu>()("app/Gpu") {}` makes another kind.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { Backend } from "../backend/Backend.ts"
import { NotARunner } from "../BootFailure.ts"
import { BootFailed, FlameError } from "../FlameError.ts"
import type { AnyFunction, AnyPool } from "../FlameFunction.ts"
import * as Role from "../runner/Role.ts"
import * as Shutdown from "../Shutdown.ts"
import * as CallStart from "./CallStart.ts"
import type { PoolEvent, PoolStatus } from "./PoolEvent.ts"
import { fromConfig, type PoolOptions } from "./PoolOptions.ts"
import * as PoolRuntime from "./PoolRuntime.ts"
import type { Runner } from "./Runner.ts"

/** Options that can be changed while a pool runs. */
export type Resizable = Partial<
  Pick<
    PoolOptions,
    | "min"
    | "max"
    | "concurrency"
    | "spare"
    | "queueCapacity"
    | "idleTimeToLive"
    | "maxCalls"
    | "maxLifetime"
    | "strategy"
    | "timeout"
  >
>

/** The members of every pool. */
export interface PoolShape {
  /** The pool's id. */
  readonly id: string
  /** The pool now: runners, slots, waiting calls, totals; of this parent process only. */
  readonly status: Effect.Effect<PoolStatus>
  /** What happens from now on; ends with the pool. A reader that falls behind misses the oldest. */
  readonly events: Stream.Stream<PoolEvent>
  /** Changes options while the pool runs; what is not named stays. Dies with a TypeError for values that make no sense. */
  readonly resize: (options: Resizable) => Effect.Effect<void>
  /** Closes the pool: waiting calls fail with `PoolClosed`, those in flight end within `drainTimeout`, runners go. */
  readonly drain: Effect.Effect<void>
  /** @internal */
  readonly call: (fn: AnyFunction, payload: unknown, timeout: number | undefined) => Effect.Effect<unknown, unknown, unknown>
  /** @internal */
  readonly cast: (fn: AnyFunction, payload: unknown, timeout: number | undefined) => Effect.Effect<void, FlameError, unknown>
  /** @internal */
  readonly withRunner: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | FlameError, Exclude<R, Runner>>
}

/** The class of a pool: its key, its layer, its `withRunner`. */
export interface PoolClass<Self, Id extends string> extends Context.Key<Self, PoolShape> {
  new (_: never): AnyPool & { readonly key: Id }
  /** A pool of its own on the backend that is provided. */
  readonly layer: <RHooks = never>(options?: PoolOptions<RHooks>) => Layer.Layer<Self, FlameError, Backend | RHooks>
  /**
   * Runs all calls of this pool inside the effect on one runner, which stays for as long as the effect runs.
   *
   * It holds no slot between calls. Once the runner is lost, further calls fail with `RunnerLost`.
   */
  readonly withRunner: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | FlameError, Exclude<R, Runner> | Self>
}

/** Builds the service of a pool; its scope closes it. */
export const make = <RHooks = never>(
  id: string,
  options: PoolOptions<RHooks> = {}
): Effect.Effect<PoolShape, FlameError, Backend | RHooks | import("effect/Scope").Scope> =>
  Effect.gen(function* () {
    yield* refuseInRunner(id)
    const hooks = yield* Effect.context<RHooks>()
    const own = provideHooks(options, hooks)
    const merged = { ...own, ...(yield* Effect.orDie(fromConfig(id))) }
    const runtime = yield* PoolRuntime.make(id, merged)
    const unregister = Shutdown.onSignal(runtime.close)
    yield* Effect.addFinalizer(() => Effect.sync(unregister))
    return {
      id,
      status: Effect.sync(() => runtime.status),
      events: Stream.fromPubSub(runtime.events),
      resize: (changed) => Effect.sync(() => runtime.resize(changed)),
      drain: runtime.close,
      call: (fn, payload, timeout) => CallStart.call(runtime.engine, fn, payload, timeout),
      cast: (fn, payload, timeout) =>
        CallStart.cast(runtime.engine, fn, payload, timeout, (exit) => runtime.castFailed(fn, exit)),
      withRunner: (effect) => runtime.withRunner(effect)
    } satisfies PoolShape
  })

/** No pool of apps that start apps: a process that was started as a runner has none of its own. */
const refuseInRunner = (id: string): Effect.Effect<void, FlameError> =>
  Effect.suspend(() => {
    const role = Role.current()
    if (role._tag === "Parent") return Effect.void
    const detail =
      role._tag === "Refused"
        ? role.detail
        : `this process was started as runner ${role.id}, but it builds pool ${id} of its own: let Flame.main choose the role, or give the FlameLayer an \`entry\` that only serves`
    if (role._tag === "Runner") Role.refuse(detail)
    return Effect.fail(
      new FlameError({ reason: new BootFailed({ pool: id, attempts: 0, cause: new NotARunner({ detail }) }) })
    )
  })

const provideHooks = <R>(options: PoolOptions<R>, context: Context.Context<R>): PoolOptions<never> => {
  const { afterBoot, beforeBoot, onRunnerLost, ...rest } = options
  return {
    ...rest,
    ...(beforeBoot === undefined ? {} : { beforeBoot: (runner) => Effect.provideContext(beforeBoot(runner), context) }),
    ...(afterBoot === undefined ? {} : { afterBoot: (outcome) => Effect.provideContext(afterBoot(outcome), context) }),
    ...(onRunnerLost === undefined
      ? {}
      : { onRunnerLost: (runner, exit) => Effect.provideContext(onRunnerLost(runner, exit), context) })
  }
}

/**
 * Declares a kind of runners: a pool class to name in contracts and to provide.
 *
 * @example
 * ```ts
 * import { Layer } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 *
 * class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}
 * const pools = Gpu.layer({ max: 2 }).pipe(Layer.provideMerge(FlameLayer.auto()))
 * ```
 */
export const PoolService =
  <Self>() =>
  <const Id extends string>(id: Id): PoolClass<Self, Id> => {
    const key = Context.Service<Self, PoolShape>()(id)
    return Object.assign(key, {
      layer: <RHooks = never>(options?: PoolOptions<RHooks>) => Layer.effect(key, make(id, options)),
      withRunner: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.flatMap(key, (pool) => pool.withRunner(effect))
    }) as unknown as PoolClass<Self, Id>
  }

/** The default pool: where a function runs whose contract names none. */
export class Pool extends PoolService<Pool>()("effect-flame/Pool") {}
