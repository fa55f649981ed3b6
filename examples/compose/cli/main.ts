/**
 * A command whose work runs on runners: `node examples/compose/cli/main.ts words --runners 2 FILE…`.
 *
 * A runner is started with the same arguments, but runs the functions alone: the command line is parsed on the parent.
 */
import { NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { Flame, FlameLayer, Pool } from "effect-flame"
import { readFileSync } from "node:fs"
import { countWords } from "../Words.ts"

const words = Command.make(
  "words",
  {
    files: Argument.File("file", { mustExist: true }).pipe(Argument.atLeast(1)),
    runners: Flag.Int("runners").pipe(Flag.withDescription("Processes that count"), Flag.withDefault(2))
  },
  Effect.fn(function* ({ files, runners }) {
    yield* (yield* Pool).resize({ max: runners })
    const counts = yield* Effect.forEach(
      files,
      (file) => Flame.call(countWords, { text: readFileSync(file, "utf8") }),
      { concurrency: "unbounded" }
    )
    yield* Effect.forEach(files, (file, index) => Console.log(`${counts[index]} ${file}`))
  })
).pipe(Command.withDescription("Counts the words of files, each in a process of its own"))

const app = Command.make("compose").pipe(
  Command.withSubcommands([words]),
  Command.run({ version: "1.0.0" }),
  Effect.provide(Layer.mergeAll(NodeServices.layer))
)

Flame.main({ functions: [countWords], app, flame: FlameLayer.auto() }).pipe(Flame.runMain)
