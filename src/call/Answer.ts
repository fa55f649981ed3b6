/** What the final frame of a call says, by how its function ended. */
import * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FunctionCodec from "../function/FunctionCodec.ts"
import { Kind } from "../wire/Frame.ts"
import * as Refusal from "./Refusal.ts"
import type { Served } from "./Served.ts"
import { ItemTooLarge } from "./StreamServer.ts"

/** A final frame. */
export type Answer = readonly [kind: Kind, body: Uint8Array]

/** A final frame whose body needs services or time to be encoded. */
export type Later = readonly [kind: Kind, body: Effect.Effect<Uint8Array, unknown, unknown>]

const none = new Uint8Array(0)

/** It was stopped because it was told to. */
export const interrupted: Answer = [Kind.Interrupted, none]

/** It died. */
export const died = (defect: unknown): Answer => [Kind.Defect, FunctionCodec.encodeDefect(defect)]

/** Its result, or an item, is larger than the parent takes. */
export const tooLarge = (size: number, limit: number): Answer => [Kind.Refused, Refusal.encodeTooLarge(size, limit)]

/** `isStopped` says that an interruption is ours, `isCancelled` that nobody waits for a result. */
export const of = (
  { codec, fn }: Served,
  exit: Exit.Exit<unknown, unknown>,
  isStopped: boolean,
  isCancelled: boolean
): Answer | Later => {
  try {
    if (Exit.isSuccess(exit)) {
      // nobody waits for it any more: its acknowledgement is all that is wanted
      if (isCancelled) return interrupted
      // its items have been sent
      if (fn.stream) return [Kind.Success, none]
      const { value } = exit
      if (codec.success.isSync) return [Kind.Success, codec.success.encode(value)]
      return [Kind.Success, codec.success.encodeEffect(value)]
    }
    // a defect elects itself over a typed error, as it does in Effect
    const reasons = exit.cause.reasons
    const die = reasons.find(Cause.isDieReason)
    if (die?.defect instanceof ItemTooLarge) return tooLarge(die.defect.size, die.defect.limit)
    if (die !== undefined) return died(die.defect)
    const fail = reasons.find(Cause.isFailReason)
    if (fail !== undefined) {
      if (codec.error.isSync) return [Kind.Failure, codec.error.encode(fail.error)]
      return [Kind.Failure, codec.error.encodeEffect(fail.error)]
    }
    return isStopped ? interrupted : died(new Error("the function interrupted itself"))
  } catch (defect) {
    return died(defect)
  }
}
