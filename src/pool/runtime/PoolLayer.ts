/** Builds the service of a pool. A pool class loads this module when it is built, so that runners do not load it. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Backend } from "../../backend/Backend.ts"
import { NotARunner } from "../../error/BootFailure.ts"
import { BootFailed, FlameError } from "../../error/FlameError.ts"
import * as Role from "../../process/Role.ts"
import * as Shutdown from "../../process/Shutdown.ts"
import * as CallStart from "./CallStart.ts"
import type { PoolShape } from "./PoolShape.ts"
import type { PoolOptions } from "../option/PoolOptions.ts"
import { mayBeConfigured } from "../option/PoolPrefix.ts"
import * as PoolRuntime from "./PoolRuntime.ts"

/** Builds the service of a pool. The scope closes it. */
export const make = <RHooks = never>(
  id: string,
  options: PoolOptions<RHooks> = {}
): Effect.Effect<PoolShape, FlameError, Backend | RHooks | Scope.Scope> =>
  Effect.gen(function* () {
    yield* refuseInRunner(id)
    const hooks = yield* Effect.context<RHooks>()
    const own = provideHooks(options, hooks)
    const merged = { ...own, ...(yield* configured(id)) }
    const runtime = yield* PoolRuntime.make(id, merged)
    const unregister = Shutdown.onSignal({ budget: runtime.shutdownBudget, drain: runtime.close })
    yield* Effect.addFinalizer(() => Effect.sync(unregister))
    return {
      id,
      status: Effect.sync(() => runtime.status),
      events: runtime.events,
      resize: (changed) => Effect.sync(() => runtime.resize(changed)),
      drain: runtime.close,
      call: (caller, fn, payload, timeout) => CallStart.call(runtime.engine, caller, fn, payload, timeout),
      cast: (caller, fn, payload, timeout) =>
        CallStart.cast(runtime.engine, caller, fn, payload, timeout, (exit) => runtime.castFailed(fn, exit)),
      place: (owner, service, payload, timeout) => CallStart.place(runtime.engine, owner, service, payload, timeout),
      withRunner: (effect) => runtime.withRunner(effect)
    } satisfies PoolShape
  })

/** The options of a pool from the environment. A value that cannot be read is a defect. */
const configured = (id: string): Effect.Effect<PoolOptions<never>> =>
  Effect.contextWith((context: Context.Context<never>) =>
    mayBeConfigured(id, context)
      ? Effect.flatMap(
          Effect.promise(() => import("../option/PoolEnvironment.ts")),
          ({ fromConfig }) => Effect.orDie(fromConfig(id))
        )
      : Effect.succeed({})
  )

/** Fails in a process that was started as a runner: an app that starts apps would never end. */
const refuseInRunner = (id: string): Effect.Effect<void, FlameError> =>
  Effect.suspend(() => {
    const role = Role.current()
    if (role._tag === "Parent") return Effect.void
    const detail =
      role._tag === "Refused"
        ? role.detail
        : `this process was started as runner ${role.id}, but it builds pool ${id} of its own: let Flame.main choose the role, or give the FlameLayer an \`entry\` that only serves`
    // Once the runner serves, a function builds the pool, and only its call fails.
    if (role._tag === "Runner" && !Shutdown.wasUsed()) Role.refuse(detail)
    return Effect.fail(
      new FlameError({ reason: new BootFailed({ pool: id, attempts: 0, cause: new NotARunner({ detail }) }) })
    )
  })

const provideHooks = <R>(options: PoolOptions<R>, context: Context.Context<R>): PoolOptions<never> => {
  const { afterBoot, beforeBoot, onRunnerLost, ...rest } = options
  return {
    ...rest,
    ...(beforeBoot === undefined
      ? {}
      : { beforeBoot: (runner, runners) => Effect.provideContext(beforeBoot(runner, runners), context) }),
    ...(afterBoot === undefined ? {} : { afterBoot: (outcome) => Effect.provideContext(afterBoot(outcome), context) }),
    ...(onRunnerLost === undefined
      ? {}
      : { onRunnerLost: (runner, exit) => Effect.provideContext(onRunnerLost(runner, exit), context) })
  }
}
