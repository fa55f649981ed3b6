/** The root command, with all others below it. */
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as BuildCommand from "./BuildCommand.ts"
import * as DoctorCommand from "./DoctorCommand.ts"
import * as ExplainCommand from "./ExplainCommand.ts"
import * as GcCommand from "./GcCommand.ts"
import * as LogsCommand from "./LogsCommand.ts"
import * as ManifestsCommand from "./ManifestsCommand.ts"
import * as PsCommand from "./PsCommand.ts"
import * as TopCommand from "./TopCommand.ts"

export const root = Command.make("effect-flame").pipe(
  Command.withDescription(
    "Look at pools of runners, and keep them in order: on this machine and in a Kubernetes cluster."
  ),
  Command.withExamples([
    { command: "effect-flame manifests --app shop --image registry.example/shop:1.2.3 | kubectl apply -f -" },
    { command: "effect-flame ps -n shop" },
    { command: "source <(effect-flame --completions bash)", description: "Completions for this shell" }
  ]),
  Command.withSubcommands([
    DoctorCommand.command,
    ManifestsCommand.command,
    PsCommand.command,
    TopCommand.command,
    LogsCommand.command,
    ExplainCommand.command,
    GcCommand.command,
    BuildCommand.command
  ])
)

/** Help goes to standard output. A wrong command line is explained on standard error alone, so that pipes stay empty. */
export const presenter: CliOutput.Presenter = {
  present: (event) =>
    event._tag === "InvalidInvocation"
      ? Effect.flatMap(Effect.context<never>(), (context) =>
          Console.error(
            [
              Context.get(context, CliOutput.Formatter).formatErrors(event.errors).trim(),
              `Run \`${event.commandPath.join(" ")} --help\` for its flags and examples.`
            ].join("\n\n")
          )
        )
      : CliOutput.defaultPresenter.present(event)
}
