/** What crosses with a call besides its payload, put into the context that its function runs in. */
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

/** The context that the function of a call runs in: that of its runner with what is the call's own. */
export const contextOf = (
  runner: Context.Context<never>,
  head: RequestHead,
  current: CurrentCall,
  scope: Scope.Scope
): Context.Context<never> => {
  const context: Context.Context<never> = Context.add(Context.add(runner, Current, current), Scope.Scope, scope)
  return head.extras === undefined ? context : withExtras(context, head.extras)
}

/** With the caller's log annotations, minimum log level and propagated References. */
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
 * With what a runner may say in a request to its owner: log annotations, cleaned and marked as the runner's, and headers
 * of a group. Neither its log level nor its References reach the handlers of the owner.
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

/** The caller's span. */
export const callerOf = (ids: SpanIds | undefined): Tracer.AnySpan | undefined =>
  ids === undefined ? undefined : Tracer.externalSpan(ids)

/** The span of the function, below the caller's; without a tracer here its own spans are still below that one. */
export const spanOf = (
  { id, pool }: RunnerInfo,
  fn: string,
  context: Context.Context<never>,
  ids: SpanIds | undefined
): Tracer.Span => {
  const span = CallSpan.begin(context, `${fn}.run`, "server", callerOf(ids))
  span.attribute("flame.runner", id)
  span.attribute("flame.pool", pool)
  return span
}
