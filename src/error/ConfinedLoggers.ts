/**
 * Loggers of the app in code that must go on: the life of a runner, the watch of a cluster, a listener, a boot. Each logger
 * may throw. An exception there would lose the event of a failed boot, end a watch, or fail every boot of a pool.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Logger, Options } from "effect/Logger"
import * as References from "effect/References"
import { confine } from "./Unhandled.ts"

/** The context with loggers whose exceptions are reported as uncaught, and end no fiber. */
export const confineLoggers = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.add(
    context,
    References.CurrentLoggers,
    new Set([...Context.get(context as Context.Context<never>, References.CurrentLoggers)].map(confined))
  )

/** Runs an effect, its finalizers and the fibers that it forks with such loggers. */
export const withConfinedLoggers = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(effect, (context: Context.Context<R>) => confineLoggers(context))

const confined = (logger: Logger<unknown, unknown>): Logger<unknown, unknown> =>
  Object.create(logger, {
    log: { value: (options: Options<unknown>) => confine(() => void logger.log(options)) }
  })
