/**
 * A tool of a language model whose work runs on a runner: `node examples/compose/ai/main.ts`.
 *
 * The model decides when to call the tool, so a pool bounds what it can cost: `max` runners, `timeout` for a call, and a
 * process that may crash. The model here is a script, which an app replaces by the layer of a provider.
 */
import { Effect, Layer, Schema, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import { Flame, FlameLayer, Pool } from "effect-flame"
import { countWords, NoText } from "../Words.ts"

class Busy extends Schema.TaggedError<Busy>()("Busy", { message: Schema.String }) {}

const CountWords = Tool.make("CountWords", {
  description: "Counts the words of a text",
  parameters: Schema.Struct({ text: Schema.String }),
  success: Schema.Int,
  failure: Schema.Union([NoText, Busy]),
  // the model is told what went wrong, and may go on without the tool
  failureMode: "return"
})

const Tools = Toolkit.make(CountWords)

// handlers run where the model is called, so they take the pool where the layer is built
const ToolsLive = Tools.toLayer(
  Effect.map(Pool, (pool) => ({
    CountWords: ({ text }) =>
      Flame.call(countWords, { text }).pipe(
        Effect.provideService(Pool, pool),
        Effect.catchTag("FlameError", ({ message }) => Effect.fail(new Busy({ message })))
      )
  }))
)

/** A model that calls the tool for two texts. */
const Model = Layer.effect(
  LanguageModel.LanguageModel,
  LanguageModel.make({
    generateText: () =>
      Effect.succeed([
        { type: "tool-call", id: "1", name: "CountWords", params: { text: "a rose is a rose" } },
        { type: "tool-call", id: "2", name: "CountWords", params: { text: " " } }
      ]),
    streamText: () => Stream.empty
  })
)

const app = Effect.gen(function* () {
  const { toolResults } = yield* LanguageModel.generateText({ prompt: "How many words are these?", toolkit: Tools })
  for (const { id, isFailure, result } of toolResults) {
    const told = result instanceof Error ? result.message : JSON.stringify(result)
    yield* Effect.log(`call ${id} ${isFailure ? "failed" : "gave"}: ${told}`)
  }
}).pipe(Effect.provide([ToolsLive, Model]))

Flame.main({ functions: [countWords], app, flame: FlameLayer.auto({ max: 2 }) }).pipe(Flame.runMain)
