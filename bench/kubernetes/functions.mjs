// The functions of the cold-start benchmark.
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"

export const echo = Flame.fn("echo", { payload: { text: Schema.String }, success: Schema.String }, ({ text }) =>
  Effect.succeed(text)
)

/** Keeps a slot until its caller interrupts it. */
export const hold = Flame.fn("hold", {}, () => Effect.never)
