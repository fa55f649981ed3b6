/** What of a caller's References crosses with its call. */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as CallHeaders from "../function/CallHeaders.ts"
import * as Propagate from "../function/Propagate.ts"
import type { Extras } from "../wire/Request.ts"

// as every fiber sees them that has set neither: the default of a Reference is made once
const noAnnotations = Context.get(Context.empty(), References.CurrentLogAnnotations)
const defaultLevel = Context.get(Context.empty(), References.MinimumLogLevel)

/** What goes from a runner to an owner: neither log level nor References are the runner's to choose. */
export const toOwner = (fiber: Fiber.Fiber<unknown, unknown>): Extras | undefined => {
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  const request = fiber.getRef(CallHeaders.Outgoing)
  if (annotations === noAnnotations && request === undefined) return undefined
  return { ...(annotations === noAnnotations ? {} : { annotations }), ...request }
}

/** Undefined where all are at their defaults. */
export const of = (fiber: Fiber.Fiber<unknown, unknown>): Extras | undefined => {
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  const level = fiber.getRef(References.MinimumLogLevel)
  const references = Propagate.hasAny() ? Propagate.collect(fiber.context) : undefined
  const request = fiber.getRef(CallHeaders.Outgoing)
  const isPlain = annotations === noAnnotations && level === defaultLevel && references === undefined
  if (isPlain && request === undefined) return undefined
  return {
    ...(annotations === noAnnotations ? {} : { annotations }),
    ...(level === defaultLevel ? {} : { level }),
    ...(references === undefined ? {} : { references }),
    ...request
  }
}
