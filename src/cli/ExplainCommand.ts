/** The command `explain`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { CommandFailed } from "./cluster/CommandFailed.ts"
import * as Explain from "./screen/Explain.ts"
import * as Finding from "./Finding.ts"
import * as Flags from "./Flags.ts"
import * as Terminal from "./Terminal.ts"

const last = Flag.Int("last").pipe(
  Flag.withDescription("The last calls of all parents together"),
  Flag.withSchema(Schema.Int.check(Schema.isGreaterThan(0, { message: "Expected a number above 0" }))),
  Flag.withDefault(200)
)

/** The failure if no parent reports its calls. */
export const silent = new CommandFailed({
  status: 1,
  message:
    "no parent answers about its calls: provide FlameStatus.layer() in the program, and look with the right to create pods/portforward"
})

/** Prints the parts of the time of recent calls. */
export const explain = ({ parents, where }: Finding.Found, last: number, asJson: boolean) =>
  Effect.gen(function* () {
    const { columns, paint } = yield* Terminal.Terminal
    if (!parents.some(({ document }) => document !== undefined)) return yield* Effect.fail(silent)
    const functions = Explain.functionsOf(parents, last)
    yield* asJson
      ? Terminal.json(Explain.document(functions, where.now))
      : Terminal.lines(Explain.screen(functions, paint, columns))
  })

export const command = Command.make(
  "explain",
  { ...Flags.found, last, json: Flags.json },
  ({ json, last, ...target }) => Finding.withFound(target, (found) => explain(found, last, json))
).pipe(
  Command.withDescription(
    "Show where the time of recent calls went, for each function: queue, boot by step, carried, ran. Parents keep a sample of their calls, and every slow or failed one."
  ),
  Command.withShortDescription("Show where the time of recent calls went"),
  Command.withExamples([
    { command: "effect-flame explain -n shop", description: "All parents of a namespace" },
    { command: "effect-flame explain --last 20 --local", description: "The last calls of programs on this machine" }
  ])
)
