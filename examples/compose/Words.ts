/** The function of all four programs: counts the words of a text, on a runner. */
import { Effect, Schema } from "effect"
import { Flame } from "effect-flame"

export class NoText extends Schema.TaggedError<NoText>()("NoText", {}) {
  override get message() {
    return "there is no text to count"
  }
}

export const countWords = Flame.fn(
  "countWords",
  { payload: { text: Schema.String }, success: Schema.Int, error: NoText, idempotent: true, timeout: "1 minute" },
  Effect.fn(function* ({ text }) {
    const words = text.split(/\s+/).filter((word) => word !== "")
    if (words.length === 0) return yield* new NoText()
    yield* Effect.log(`counted ${words.length} words in process ${process.pid}`)
    return words.length
  })
)
