/** What crosses with a call besides its payload, put into the context that its function runs in. */
import * as Context from "effect/Context"
import * as References from "effect/References"
import * as Propagate from "../Propagate.ts"
import type { Extras } from "../wire/Request.ts"

/** The context with the caller's log annotations, minimum log level and propagated References. */
export const withExtras = (context: Context.Context<never>, extras: Extras): Context.Context<never> => {
  let out = context
  if (extras.annotations !== undefined) {
    out = Context.add(out, References.CurrentLogAnnotations, {
      ...Context.get(context, References.CurrentLogAnnotations),
      ...extras.annotations
    })
  }
  if (extras.level !== undefined) out = Context.add(out, References.MinimumLogLevel, extras.level)
  if (extras.references !== undefined) {
    for (const [reference, value] of Propagate.restore(extras.references)) out = Context.add(out, reference, value)
  }
  return out
}
