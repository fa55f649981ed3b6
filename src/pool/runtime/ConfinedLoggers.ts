/**
 * The loggers of a pool, each of which may throw. The life of a runner logs between the steps that the pool needs. An
 * exception there would lose the event of a failed boot, the report of a lost runner, or the end of a runner.
 */
import * as Context from "effect/Context"
import type { Logger, Options } from "effect/Logger"
import * as References from "effect/References"
import { confine } from "../../error/Unhandled.ts"

/** The context with loggers whose exceptions are reported as uncaught, and end no fiber. */
export const confineLoggers = (context: Context.Context<never>): Context.Context<never> =>
  Context.add(
    context,
    References.CurrentLoggers,
    new Set([...Context.get(context, References.CurrentLoggers)].map(confined))
  )

const confined = (logger: Logger<unknown, unknown>): Logger<unknown, unknown> =>
  Object.create(logger, {
    log: { value: (options: Options<unknown>) => confine(() => void logger.log(options)) }
  })
