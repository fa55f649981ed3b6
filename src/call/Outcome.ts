/** Decodes a final frame into the exit that its caller receives. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { RemoteDefect } from "../error/FlameError.ts"
import * as FunctionCodec from "../function/FunctionCodec.ts"
import { Kind } from "../wire/Frame.ts"

/** The exit of a call, or an effect that decodes it. */
export type CallExit = Exit.Exit<unknown, unknown> | Effect.Effect<unknown, unknown, unknown>

/** Decodes a Success, Failure or Defect frame. `body` is a view that is valid only in this turn, `large` is owned. */
export const read = (
  name: string,
  codec: FunctionCodec.FunctionCodec,
  kind: number,
  body: Buffer,
  large: Uint8Array | undefined,
  runner: string
): CallExit => {
  const bytes = large ?? body
  try {
    switch (kind) {
      case Kind.Success: {
        if (codec.success.isSync) return Exit.succeed(codec.success.decode(bytes, large !== undefined))
        return Effect.orDie(codec.success.decodeEffect(large ?? Buffer.from(body), true))
      }
      case Kind.Failure: {
        if (codec.error.isSync) return Exit.fail(codec.error.decode(bytes, large !== undefined))
        return Effect.flatMap(Effect.orDie(codec.error.decodeEffect(large ?? Buffer.from(body), true)), Effect.fail)
      }
      default: {
        const defect = FunctionCodec.decodeDefect(bytes)
        return Exit.die(new RemoteDefect({ function: name, runner, ...defect }))
      }
    }
  } catch (defect) {
    return Exit.die(defect)
  }
}
