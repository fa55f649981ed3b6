/** Encodes the payload of a call where the call is made: a payload that does not fit fails before anything is sent. */
import * as Effect from "effect/Effect"
import { FlameError, InvalidPayload, PayloadTooLarge } from "../error/FlameError.ts"
import type { AnyFunction } from "./FlameFunction.ts"
import * as FunctionCodec from "./FunctionCodec.ts"
import { ValueTooLarge } from "../schema/bound/ValueLimits.ts"
import type { AnyEffect } from "./AnyEffect.ts"

/** Encodes a payload and passes the bytes on: at once where the codec is sync, else when its Effect completes. */
export const encode = (
  codec: FunctionCodec.FunctionCodec,
  fn: AnyFunction,
  payload: unknown,
  then: (bytes: Uint8Array) => AnyEffect
): AnyEffect => {
  if (!codec.payload.isSync) return later(codec, fn, payload, then)
  let bytes: Uint8Array
  try {
    bytes = codec.payload.encode(payload)
  } catch (error) {
    return invalid(fn, error)
  }
  return then(bytes)
}

/** Encodes a payload by an Effect, also where the codec is sync. */
export const later = (
  codec: FunctionCodec.FunctionCodec,
  fn: AnyFunction,
  payload: unknown,
  then: (bytes: Uint8Array) => AnyEffect
): AnyEffect =>
  Effect.matchEffect(codec.payload.encodeEffect(payload), {
    onFailure: (error) => invalid(fn, error),
    onSuccess: then
  })

/** Turns an encoding error into the caller's failure. Anything else that the schema's own code throws is a defect. */
const invalid = (fn: AnyFunction, error: unknown): AnyEffect => {
  if (error instanceof ValueTooLarge) {
    const { limit, size } = error
    const reason = new PayloadTooLarge({ function: fn.name, size, limit, direction: "payload", option: "maxValue" })
    return Effect.fail(new FlameError({ reason }))
  }
  const issues = FunctionCodec.payloadIssues(error)
  if (issues === undefined) return Effect.die(error)
  return Effect.fail(new FlameError({ reason: new InvalidPayload({ function: fn.name, issues: [...issues] }) }))
}
