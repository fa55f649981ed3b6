/** The command `ps`. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import * as Finding from "./Finding.ts"
import * as Flags from "./Flags.ts"
import * as Ps from "./screen/Ps.ts"
import * as Terminal from "./Terminal.ts"

/** Prints parents and their runners. */
export const ps = ({ parents, where }: Finding.Found, asJson: boolean) =>
  Effect.gen(function* () {
    const { columns, paint } = yield* Terminal.Terminal
    yield* asJson
      ? Terminal.json(Ps.document(parents, where))
      : Terminal.lines(Ps.screen(parents, where, paint, columns))
  })

export const command = Command.make("ps", { ...Flags.found, json: Flags.json }, ({ json, ...target }) =>
  Finding.withFound(target, (found) => ps(found, json))
).pipe(
  Command.withDescription(
    "Show parents, their pools and runners: state, node, age, calls, and what a boot waits for. Pods are found by their labels; parents with FlameStatus tell more."
  ),
  Command.withShortDescription("Show parents and their runners"),
  Command.withExamples([
    { command: "effect-flame ps -n shop", description: "This machine and a namespace" },
    {
      command: `effect-flame ps --json | jq -r '.parents[].runners[] | select(.state == "waiting") | .detail'`,
      description: "What boots wait for"
    }
  ])
)
