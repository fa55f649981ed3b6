/** The program `effect-flame`: runs a command line, and ends with 0, 1 (a failure) or 2 (a wrong command line). */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import manifest from "../../package.json" with { type: "json" }
import * as App from "./App.ts"
import * as Failure from "./Failure.ts"

const program = App.root.pipe(
  Command.run({ version: manifest.version }),
  Effect.provideService(CliOutput.Presenter, App.presenter),
  Effect.provideService(
    CliConfig.CliConfig,
    CliConfig.make({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })
  ),
  Effect.provide(NodeServices.layer),
  // Standard output is for what the command prints.
  Effect.provideService(Logger.LogToStderr, true),
  Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : Failure.report(cause)))
)

// A reader that has read enough, such as `head`, closes the pipe: that ends the program, and is no failure.
process.stdout.on("error", (cause: NodeJS.ErrnoException) => process.exit(cause.code === "EPIPE" ? 0 : 1))

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  teardown: (exit, onExit) => onExit(Exit.isSuccess(exit) ? 0 : Failure.statusOf(exit.cause))
})
