/** Collects the extras of a call from the References of its caller. */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as References from "effect/References"
import * as CallHeaders from "../function/CallHeaders.ts"
import * as Propagate from "../function/Propagate.ts"
import type { Extras } from "../wire/Request.ts"

// The defaults, which every fiber has that sets neither. A Reference makes its default once.
const noAnnotations = Context.get(Context.empty(), References.CurrentLogAnnotations)
const defaultLevel = Context.get(Context.empty(), References.MinimumLogLevel)

/** The extras of a request from a runner to the owner of a placed service: no log level and no References. */
export const toOwner = (fiber: Fiber.Fiber<unknown, unknown>): Extras | undefined => {
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  const request = fiber.getRef(CallHeaders.Outgoing)
  if (annotations === noAnnotations && request === undefined) return undefined
  return { ...(annotations === noAnnotations ? {} : { annotations }), ...request }
}

/** The extras of a call. Undefined if every Reference has its default. */
export const of = (fiber: Fiber.Fiber<unknown, unknown>): Extras | undefined => {
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  const level = fiber.getRef(References.MinimumLogLevel)
  const references = Propagate.registered.size > 0 ? Propagate.collect(fiber.context) : undefined
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
