/**
 * Spans made without a detour through Effect's own primitives, which cost as much as the call they describe.
 *
 * As `Effect.useSpan` does, they use the parent, sampling, annotations and links of the fiber, and its clock.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"

/** Begins a span in a context. `parent` replaces the parent in the context. */
export const begin = (
  context: Context.Context<never>,
  name: string,
  kind: Tracer.SpanKind,
  parent?: Tracer.AnySpan
): Tracer.Span => {
  const around = parent ?? Context.getOrUndefined(context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan)
  const hidden = around !== undefined && Context.get(around.annotations, Tracer.DisablePropagation)
  const links = Context.get(context, References.TracerSpanLinks)
  const span = Context.get(context, Tracer.Tracer).span({
    name,
    parent: around === undefined || hidden ? Option.none() : Option.some(around),
    annotations: Context.empty(),
    links: links.length === 0 ? [] : links.slice(),
    startTime: Context.get(context, Clock.Clock).currentTimeNanosUnsafe(),
    kind,
    root: false,
    sampled: around?.sampled === false ? false : isSampled(context)
  })
  const annotations = Context.get(context, References.TracerSpanAnnotations)
  for (const key in annotations) span.attribute(key, annotations[key])
  return span
}

/** Ends a span, at the time of the clock in its context. */
export const end = (context: Context.Context<never>, span: Tracer.Span, exit: Exit.Exit<unknown, unknown>): void =>
  span.end(Context.get(context, Clock.Clock).currentTimeNanosUnsafe(), exit)

/**
 * Ends the span of a call with its exit, and returns the exit. A call whose tracer throws dies of that.
 * An exit that is still to be decoded counts as a success of the call.
 */
export const endWith = <E extends Exit.Exit<unknown, unknown> | Effect.Effect<unknown, unknown, unknown>>(
  context: Context.Context<never>,
  span: Tracer.Span,
  exit: E
): E | Exit.Exit<never, never> => {
  try {
    end(context, span, Exit.isExit(exit) ? exit : Exit.void)
    return exit
  } catch (defect) {
    return Exit.die(defect)
  }
}

/** Whether the context has a tracer other than the native one, and tracing is enabled. */
export const isTraced = (context: Context.Context<never>): boolean =>
  Context.get(context, Tracer.Tracer) !== Tracer.nativeTracer && Context.get(context, References.TracerEnabled)

const isSampled = (context: Context.Context<never>): boolean =>
  !LogLevel.isGreaterThan(
    Context.get(context, Tracer.MinimumTraceLevel),
    Context.get(context, Tracer.CurrentTraceLevel)
  )
