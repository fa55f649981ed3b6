/**
 * A durable workflow whose activities call functions: `node examples/compose/workflow/main.ts`.
 *
 * The workflow engine remembers the result of each activity, and runs an activity again after a crash. The pool gives the
 * activity a process of its own. Here the engine keeps its memory in this process; an app provides a durable one.
 */
import { Effect, Layer, Schema } from "effect"
import { Activity, Workflow, WorkflowEngine } from "effect/workflow"
import { Flame, FlameError, FlameLayer } from "effect-flame"
import { countWords, NoText } from "../Words.ts"

const Report = Workflow.make("Report", {
  payload: { id: Schema.String, texts: Schema.Array(Schema.String) },
  success: Schema.Int,
  error: NoText,
  idempotencyKey: ({ id }) => id
})

const count = (index: number, text: string) =>
  Activity.make({
    name: `count ${index}`,
    success: Schema.Int,
    error: Schema.Union([NoText, FlameError.FlameError]),
    execute: Flame.call(countWords, { text })
  }).pipe(
    // a lost runner is no result: the activity runs again. `FlameError` is a schema, so the engine can store it too
    Activity.retry({ times: 3, while: (error) => error._tag === "FlameError" }),
    Effect.catchTag("FlameError", Effect.die)
  )

const ReportLive = Report.toLayer(({ texts }) =>
  Effect.map(
    Effect.forEach(texts, (text, index) => count(index, text)),
    (counts) => counts.reduce((sum, words) => sum + words, 0)
  )
)

const app = Effect.gen(function* () {
  const report = { id: "monday", texts: ["a rose is a rose", "is a rose"] }
  yield* Effect.log(`the report has ${yield* Report.execute(report)} words`)
  // the same id: the engine has the result
  yield* Effect.log(`once more: ${yield* Report.execute(report)} words`)
  const error = yield* Effect.flip(Report.execute({ id: "empty", texts: [" "] }))
  yield* Effect.log(`no report: ${error.message}`)
}).pipe(Effect.provide(ReportLive.pipe(Layer.provideMerge(WorkflowEngine.layerMemory))))

Flame.main({ functions: [countWords], app, flame: FlameLayer.auto({ max: 2 }) }).pipe(Flame.runMain)
