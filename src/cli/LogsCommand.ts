/** The command `logs`. */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { CommandFailed } from "./cluster/CommandFailed.ts"
import * as Durations from "./Durations.ts"
import * as Finding from "./Finding.ts"
import * as Flags from "./Flags.ts"
import * as Following from "./LogFollowing.ts"
import { sourcesOf, type Wanted } from "./LogSources.ts"
import * as Logs from "./screen/Logs.ts"
import * as Terminal from "./Terminal.ts"

/** The ids and pods of all runners that are there now. */
const namesOf = ({ parents }: Finding.Found): ReadonlySet<string> =>
  new Set(
    parents.flatMap(({ document, view }) => [
      ...(document?.pools ?? []).flatMap(({ runners }) => runners.map(({ id }) => id)),
      ...(view?.runners ?? []).flatMap(({ id, pod }) => [id, pod])
    ])
  )

/** Names that a message lists. */
const mostNames = 5

const noRunner = (name: string, names: ReadonlySet<string>): CommandFailed => {
  const similar = [...names].filter((each) => each.startsWith(name)).slice(0, mostNames)
  const remedy = similar.length === 0 ? "effect-flame ps shows the runners" : `did you mean ${similar.join(", ")}?`
  const message = `no runner ${name} is there now, and no parent keeps lines of it: ${remedy}`
  return new CommandFailed({ status: 1, message })
}

const noLines = "no line is kept: with -f, lines are shown as runners write them"

const noFunctions =
  "--function needs parents that answer: provide FlameStatus.layer() in the program, and look with the right to create pods/portforward"

/** Prints lines: all existing lines in the order of their times, or new lines as they arrive. */
export const logs = (found: Finding.Found, wanted: Wanted, asJson: boolean) =>
  Effect.gen(function* () {
    const { paint } = yield* Terminal.Terminal
    const now = yield* Clock.currentTimeMillis
    const print = (line: Logs.Line) => Console.log(asJson ? JSON.stringify(line) : Logs.worded(line, paint))
    const names = namesOf(found)
    const missing = wanted.runners.find((name) => !names.has(name))
    const sources = sourcesOf(found, wanted, now)
    if (wanted.function !== undefined && sources.length === 0) {
      return yield* new CommandFailed({ status: 1, message: noFunctions })
    }
    const hint = Terminal.hint(
      `no runner ${missing} is there now: lines of runners that have gone are shown as far as their parent keeps them`
    )
    if (wanted.follow) {
      if (missing !== undefined) yield* hint
      return yield* Following.follow(found, wanted, now, print)
    }
    const lines = yield* Following.collect(sources).pipe(Terminal.spinning("reading lines"))
    if (missing !== undefined) yield* lines.length === 0 ? noRunner(missing, names) : hint
    else if (lines.length === 0) yield* Terminal.hint(noLines)
    yield* Effect.forEach(
      lines.toSorted((left, right) => left.at - right.at),
      print,
      { discard: true }
    )
  })

const flags = {
  runners: Argument.String("runner").pipe(
    Argument.withDescription("Runners, by id or pod (default: all)"),
    Argument.variadic()
  ),
  follow: Flag.Boolean("follow").pipe(
    Flag.withAlias("f"),
    Flag.withDescription("Go on with new lines until Ctrl-C"),
    Flag.withDefault(false)
  ),
  function: Flag.String("function").pipe(Flag.withDescription("Lines of calls of this function only"), Flag.optional),
  since: Flag.String("since").pipe(
    Flag.withMetavar("<duration>"),
    Flag.withDescription("Lines of that age at most, such as 5m"),
    Flag.optional
  ),
  pods: Flag.Boolean("pods").pipe(
    Flag.withDescription("Read the logs of pods, also where parents answer: what programs write themselves"),
    Flag.withDefault(false)
  ),
  json: Flags.json,
  ...Flags.found
}

export const command = Command.make(
  "logs",
  flags,
  ({ follow, function: name, json, pods, runners, since, ...target }) =>
    Effect.gen(function* () {
      const age = Option.isNone(since) ? undefined : Duration.toMillis(yield* Durations.parse("since", since.value))
      const wanted: Wanted = { runners, follow, function: Option.getOrUndefined(name), since: age, pods }
      yield* Finding.withFound(target, (found) => logs(found, wanted, json))
    })
).pipe(
  Command.withDescription(
    "Show lines of runners: from their parents, which know the function of each line, or else from the logs of their pods."
  ),
  Command.withShortDescription("Show lines of runners"),
  Command.withExamples([
    { command: "effect-flame logs -f -n shop", description: "All runners, as they write" },
    { command: "effect-flame logs --function resize --since 5m", description: "One function, the last minutes" },
    { command: "effect-flame logs gpu-1 --pods", description: "What one runner's program wrote itself" }
  ])
)
