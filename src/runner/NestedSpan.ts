/** The span and the extras that cross with a nested call. */
import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Tracer from "effect/Tracer"
import * as ExtrasSent from "../call/ExtrasSent.ts"
import type * as Outcome from "../call/Outcome.ts"
import * as CallSpan from "../function/CallSpan.ts"
import type { CurrentCall, Wanted } from "../function/Current.ts"
import * as Propagate from "../function/Propagate.ts"
import type { Extras } from "../wire/Request.ts"

/** The span and the extras of a nested call. */
interface Spanned {
  readonly context: Context.Context<never>
  readonly span: Tracer.Span | undefined
}

interface Crossing {
  readonly span: Tracer.Span | undefined
  readonly around: Tracer.AnySpan | undefined
  readonly extras: Extras | undefined
}

const plain: Crossing = { span: undefined, around: undefined, extras: undefined }

/** Begins the span of a nested call, if there is a tracer. */
export const crossing = (
  current: CurrentCall,
  caller: Fiber.Fiber<unknown, unknown>,
  { fn, pool }: Wanted
): Crossing => {
  const { context } = caller
  if (context === current.plainContext && Propagate.registered.size === 0) return plain
  const around = Context.getOrUndefined(context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan)
  const extras = ExtrasSent.of(caller)
  if (!CallSpan.isTraced(context)) {
    if (around === undefined && extras === undefined) current.plainContext = context
    return { span: undefined, around, extras }
  }
  const span = CallSpan.begin(context, fn.stream ? "Flame.stream" : "Flame.call", "client")
  span.attribute("flame.function", fn.name)
  span.attribute("flame.pool", pool)
  return { span, around, extras }
}

/** Ends the span of a nested call. If its tracer throws, that error becomes the exit. */
export const endSpan = <E extends Outcome.CallExit>({ context, span }: Spanned, exit: E): E | Exit.Exit<never, never> =>
  span === undefined ? exit : CallSpan.endWith(context, span, exit)
