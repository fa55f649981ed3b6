/** Makes the final frame of a call from the exit of its function. */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FunctionCodec from "../function/FunctionCodec.ts"
import { ValueTooLarge } from "../schema/bound/ValueLimits.ts"
import { Kind } from "../wire/Frame.ts"
import * as Refusal from "./Refusal.ts"
import type { Served } from "./Served.ts"
import { ItemTooLarge } from "./StreamServer.ts"

/** A final frame. */
export type Answer = readonly [kind: Kind, body: Uint8Array]

/** A final frame whose body is encoded by an effect. */
export type Later = readonly [kind: Kind, body: Effect.Effect<Uint8Array, unknown, unknown>]

const none = new Uint8Array(0)

/** The function was interrupted by a cancel or by its session. */
export const interrupted: Answer = [Kind.Interrupted, none]

/** The function died, with further defects or errors beside the first one. */
export const died = (defect: unknown, beside: ReadonlyArray<unknown> = []): Answer => [
  Kind.Defect,
  FunctionCodec.encodeDefect(defect, beside)
]

/** The result or the error of the function could not be encoded: the error itself crosses as a defect, with the reason. */
export const unencodable = (exit: Exit.Exit<unknown, unknown>, complaint: unknown): Answer => {
  if (complaint instanceof ValueTooLarge) return tooLarge(complaint.size, complaint.limit, "maxValue")
  const fail = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason) : undefined
  return fail === undefined ? died(complaint) : died(fail.error, [complaint])
}

/** The answer for a result, or an item, that is larger than the parent takes. */
export const tooLarge = (size: number, limit: number, option?: "maxValue"): Answer => [
  Kind.Refused,
  Refusal.encodeTooLarge(size, limit, option)
]

/**
 * The final frame for an exit.
 *
 * `isStopped`: this side has interrupted the function. `isCancelled`: the caller waits only for the end.
 */
export const of = (
  { codec, fn }: Served,
  exit: Exit.Exit<unknown, unknown>,
  isStopped: boolean,
  isCancelled: boolean
): Answer | Later => {
  try {
    if (Exit.isSuccess(exit)) {
      // The caller of a cancelled call waits for the acknowledgement only.
      if (isCancelled) return interrupted
      // The items have already been sent.
      if (fn.stream) return [Kind.Success, none]
      const { value } = exit
      if (codec.success.isSync) return [Kind.Success, codec.success.encode(value)]
      return [Kind.Success, codec.success.encodeEffect(value)]
    }
    // a defect takes precedence over a typed error, as in Effect
    const reasons = exit.cause.reasons
    const die = reasons.find(Cause.isDieReason)
    if (die?.defect instanceof ItemTooLarge) return tooLarge(die.defect.size, die.defect.limit)
    if (die?.defect instanceof ValueTooLarge) return unencodable(exit, die.defect)
    if (die !== undefined)
      return died(
        die.defect,
        reasons.flatMap((reason) => (reason === die ? [] : faultOf(reason)))
      )
    const fail = reasons.find(Cause.isFailReason)
    if (fail !== undefined) {
      if (codec.error.isSync) return [Kind.Failure, codec.error.encode(fail.error)]
      return [Kind.Failure, codec.error.encodeEffect(fail.error)]
    }
    return isStopped ? interrupted : died(new Error("the function interrupted itself"))
  } catch (defect) {
    return unencodable(exit, defect)
  }
}

const faultOf = (reason: Cause.Reason<unknown>): ReadonlyArray<unknown> => {
  if (Cause.isDieReason(reason)) return [reason.defect]
  return Cause.isFailReason(reason) ? [reason.error] : []
}
