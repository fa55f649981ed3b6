/** Puts the extras of a request (annotations, log level, References, headers, span) into the context of its function. */
import * as Context from "effect/Context"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { printableRecord } from "../error/PeerText.ts"
import * as CallSpan from "../function/CallSpan.ts"
import * as CallHeaders from "../function/CallHeaders.ts"
import * as Propagate from "../function/Propagate.ts"
import type { Extras, RequestHead, SpanIds } from "../wire/Request.ts"
import { Current, type CurrentCall, type RunnerInfo } from "../function/Current.ts"

/** The context of the function of a call: the context of its runner, with `Current`, the Scope and the extras of the call. */
export const contextOf = (
  runner: Context.Context<never>,
  head: RequestHead,
  current: CurrentCall,
  scope: Scope.Scope
): Context.Context<never> => {
  const context: Context.Context<never> = Context.add(Context.add(runner, Current, current), Scope.Scope, scope)
  return head.extras === undefined ? context : withExtras(context, head.extras)
}

/** Adds the log annotations, the minimum log level, the References and the headers of the caller. */
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
  if (extras.headers !== undefined || extras.discard !== undefined) out = Context.add(out, CallHeaders.Incoming, extras)
  return out
}

/**
 * Adds what a runner may send with a request to the owner of a placed service: log annotations, cleaned and marked as the
 * runner's, and headers of a group. The log level and the References of the runner never reach the handlers of the owner.
 */
export const withRunnerExtras = (
  context: Context.Context<never>,
  { annotations, discard, headers }: Extras,
  runner: string
): Context.Context<never> => {
  let out = context
  if (annotations !== undefined) {
    const marked: Record<string, unknown> = { ...Context.get(context, References.CurrentLogAnnotations), runner }
    for (const [key, value] of Object.entries(printableRecord(annotations))) marked[`runner.${key}`] = value
    out = Context.add(out, References.CurrentLogAnnotations, marked)
  }
  if (headers !== undefined || discard !== undefined) {
    const request = { ...(headers === undefined ? {} : { headers }), ...(discard === undefined ? {} : { discard }) }
    out = Context.add(out, CallHeaders.Incoming, request)
  }
  return out
}

/** The span of the caller. */
export const callerOf = (ids: SpanIds): Tracer.AnySpan => Tracer.externalSpan(ids)

/** Begins the span of the function, as a child of the caller's span. */
export const spanOf = (
  { id, pool }: RunnerInfo,
  fn: string,
  context: Context.Context<never>,
  ids: SpanIds | undefined
): Tracer.Span => {
  const span = CallSpan.begin(context, `${fn}.run`, "server", ids && callerOf(ids))
  span.attribute("flame.runner", id)
  span.attribute("flame.pool", pool)
  return span
}
