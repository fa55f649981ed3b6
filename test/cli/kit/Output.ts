/** Runs a command line in this process, and collects what it prints. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as App from "../../../src/cli/App.ts"
import * as Failure from "../../../src/cli/Failure.ts"

/** Runs an effect, and gives its output beside its result. */
export const printedBy = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const [out, err]: [Array<string>, Array<string>] = [[], []]
    const log = (text: unknown) => void out.push(String(text))
    const error = (text: unknown) => void err.push(String(text))
    const exit = yield* Effect.exit(
      Effect.provideService(effect, Console.Console, { ...globalThis.console, log, error } as Console.Console)
    )
    return { exit, stdout: out.join("\n"), stderr: err.join("\n") }
  })

/** The exit status and the output of a command line. */
export const run = (words: ReadonlyArray<string>) =>
  Effect.map(
    printedBy(
      Command.runWith(App.root, { version: "0" })(words).pipe(
        Effect.provideService(CliOutput.Presenter, App.presenter),
        Effect.provide(NodeServices.layer),
        Effect.tapCause(Failure.report)
      )
    ),
    ({ exit, ...printed }) => ({ ...printed, status: Exit.isSuccess(exit) ? 0 : Failure.statusOf(exit.cause) })
  )
