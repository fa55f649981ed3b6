/** The command `logs`. */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import { containerName } from "../kubernetes/template/PodTemplate.ts"
import { CommandFailed } from "./cluster/CommandFailed.ts"
import type { RunnerView } from "./cluster/Inventory.ts"
import * as Durations from "./Durations.ts"
import * as Finding from "./Finding.ts"
import * as Flags from "./Flags.ts"
import * as Logs from "./screen/Logs.ts"
import type { Parent } from "./status/Parents.ts"
import { lines, type NoStatus } from "./status/StatusSource.ts"
import * as Terminal from "./Terminal.ts"

/** The requested lines. */
export interface Wanted {
  /** Ids of runners or names of their pods; none means all. */
  readonly runners: ReadonlyArray<string>
  readonly follow: boolean
  readonly function: string | undefined
  /** Milliseconds of age, at most. */
  readonly since: number | undefined
  /** Whether the logs of pods are read also if their parent answers. */
  readonly pods: boolean
}

/** Lines of each pod without `--since`, at most. */
const tail = 200

type Source = Stream.Stream<Logs.Line, NoStatus | KubeError>

const ofParent = (parent: Parent, wanted: Wanted, now: number): ReadonlyArray<Source> => {
  const { document, source } = parent
  if (document === undefined || source === undefined || wanted.pods) return []
  const since = wanted.since === undefined ? undefined : now - wanted.since
  const ids = new Set([
    ...wanted.runners,
    ...(parent.view?.runners ?? []).filter(({ pod }) => wanted.runners.includes(pod)).map(({ id }) => id)
  ])
  const stream = lines(source, Logs.pathOf({ function: wanted.function, since, follow: wanted.follow }))
  return [
    Stream.flatMap(stream, (text) => {
      const line = Logs.ofParent(text)
      return line === undefined || (ids.size > 0 && !ids.has(line.runner)) ? Stream.empty : Stream.make(line)
    })
  ]
}

const isWanted = ({ id, pod }: RunnerView, { runners }: Wanted): boolean =>
  runners.length === 0 || runners.includes(id) || runners.includes(pod)

const ofPods = (found: Finding.Found, wanted: Wanted): ReadonlyArray<Source> => {
  const { cluster, parents } = found
  if (cluster === undefined || wanted.function !== undefined) return []
  const since = wanted.since === undefined ? { tail } : { sinceSeconds: Math.max(1, Math.ceil(wanted.since / 1_000)) }
  return parents
    .filter(({ document }) => wanted.pods || document === undefined)
    .flatMap(({ view }) => view?.runners ?? [])
    .filter((runner) => runner.node !== undefined && isWanted(runner, wanted))
    .map(({ id, pod }) =>
      Stream.map(cluster.logs(pod, { container: containerName, follow: wanted.follow, ...since }), (text) =>
        Logs.ofPod(id, text)
      ).pipe(
        // A container that has not started has no log yet.
        Stream.catchIf(
          (error) => error.status === 400 || error.status === 404,
          () => Stream.empty
        )
      )
    )
}

const unknownRunner = (wanted: Wanted, { parents }: Finding.Found): string | undefined => {
  const known = new Set(
    parents.flatMap(({ document, view }) => [
      ...(document?.pools ?? []).flatMap(({ runners }) => runners.map(({ id }) => id)),
      ...(view?.runners ?? []).flatMap(({ id, pod }) => [id, pod])
    ])
  )
  return wanted.runners.find((name) => !known.has(name))
}

const noFunctions =
  "--function needs parents that answer: provide FlameStatus.layer() in the program, and look with the right to create pods/portforward"

/** Prints lines: all existing lines in the order of their times, or new lines as they arrive. */
export const logs = (found: Finding.Found, wanted: Wanted, asJson: boolean) =>
  Effect.gen(function* () {
    const { paint } = yield* Terminal.Terminal
    const now = yield* Clock.currentTimeMillis
    const print = (line: Logs.Line) => Console.log(asJson ? JSON.stringify(line) : Logs.worded(line, paint))
    const missing = unknownRunner(wanted, found)
    if (missing !== undefined) {
      // A runner that is gone may still have lines in its parent.
      yield* Terminal.hint(
        `no runner ${missing} is there now: lines of runners that have gone are shown as far as their parent keeps them`
      )
    }
    const sources = [...found.parents.flatMap((parent) => ofParent(parent, wanted, now)), ...ofPods(found, wanted)]
    if (wanted.function !== undefined && sources.length === 0) {
      return yield* new CommandFailed({ status: 1, message: noFunctions })
    }
    const all = Stream.mergeAll(sources, { concurrency: "unbounded" })
    if (wanted.follow) return yield* Stream.runForEach(all, print)
    const lines = yield* Stream.runCollect(all).pipe(Terminal.spinning("reading lines"))
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
