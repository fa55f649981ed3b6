/** The command `top`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Command from "effect/cli/Command"
import * as Inventory from "./cluster/Inventory.ts"
import type { Cluster } from "./cluster/Cluster.ts"
import { pods } from "./cluster/Resources.ts"
import * as Finding from "./Finding.ts"
import * as Flags from "./Flags.ts"
import * as Screen from "./Screen.ts"
import type { Pod } from "../kubernetes/object/KubeObjects.ts"
import type { StatusDocument } from "../status/record/StatusDocument.ts"
import { documentOf, events, read, type StatusSource } from "./status/StatusSource.ts"
import * as Terminal from "./Terminal.ts"
import * as Top from "./screen/Top.ts"

/** A parent, and its latest status. */
interface Watched {
  readonly name: string
  readonly source: StatusSource | undefined
  readonly parent: string | undefined
  document: StatusDocument | undefined
  runners: ReadonlyArray<Inventory.RunnerView>
  silence: string | undefined
}

/** Milliseconds between screens, and between reads of the pods of parents that do not answer. */
const pace = 500
const readEvery = "3 seconds"

/** Follows one parent: its events carry a status each second. A connection that breaks is opened again. */
const follow = (watched: Watched, source: StatusSource): Effect.Effect<never> =>
  Stream.runForEach(events(source), ({ data, event }) =>
    event === "status"
      ? Effect.map(documentOf(data), (document) => {
          watched.document = document
          watched.silence = undefined
        })
      : Effect.void
  ).pipe(
    Effect.matchEffect({
      onFailure: (error) => Effect.sync(() => void (watched.silence = `no answer: ${error.message}`)),
      onSuccess: () => Effect.sync(() => void (watched.silence = "the connection has ended"))
    }),
    Effect.andThen(Effect.sleep("1 second")),
    Effect.forever
  )

/** Reads the pods of parents that do not answer, and of those that come later. */
const lookAtPods = (all: ReadonlyArray<Watched>, cluster: Cluster["Service"]): Effect.Effect<void> =>
  Effect.gen(function* () {
    const listed = yield* cluster.list<Pod>(pods)
    const now = cluster.client.serverTime?.() ?? (yield* Clock.currentTimeMillis)
    const views = Inventory.parentsOf({ now, pods: listed, jobs: undefined, secrets: undefined })
    for (const watched of all) {
      watched.runners = views.find(({ parent }) => parent === watched.parent)?.runners ?? []
    }
  }).pipe(Effect.ignore)

const watchedOf = ({ parents }: Finding.Found): ReadonlyArray<Watched> =>
  parents.map(({ document, name, silence, source, view }) => ({
    name,
    source,
    parent: view?.parent,
    document,
    runners: view?.runners ?? [],
    silence: silence === undefined ? undefined : silence.message
  }))

const titleOf = ({ where }: Finding.Found): string =>
  where.namespace === undefined ? "this machine" : `namespace ${where.namespace}`

/** Shows parents until the user quits. Without a terminal: one screen, or with `asJson` a document each second. */
export const top = (found: Finding.Found, asJson: boolean) =>
  Effect.gen(function* () {
    const terminal = yield* Terminal.Terminal
    const all = watchedOf(found)
    const title = titleOf(found)
    if (asJson) return yield* printed(all)
    const draw = (columns: number) =>
      Effect.map(Clock.currentTimeMillis, (now) => Top.lines(all, title, now, terminal.paint, columns))
    if (!terminal.canRedraw) return yield* Effect.flatMap(draw(Infinity), Terminal.lines)
    const followers = all.flatMap((watched) => (watched.source === undefined ? [] : [follow(watched, watched.source)]))
    const { cluster } = found
    const looking = cluster === undefined ? [] : [Effect.repeat(lookAtPods(all, cluster), Schedule.spaced(readEvery))]
    const beside = yield* Effect.forkChild(
      Effect.all([...followers, ...looking], { concurrency: "unbounded", discard: true })
    )
    yield* Screen.show(
      ({ columns, rows, scroll }) =>
        Effect.map(draw(columns), (lines) => Top.fit(lines, { columns, rows, scroll }, terminal.paint)),
      pace
    )
    yield* Fiber.interrupt(beside)
  })

/** A document of each parent each second, one a line. */
const printed = (all: ReadonlyArray<Watched>) =>
  Effect.gen(function* () {
    for (const { name, source } of all) {
      const document = source === undefined ? undefined : yield* Effect.orElseSucceed(read(source), () => undefined)
      if (document === undefined) continue
      const pools = document.pools.map(({ calls: _, ...pool }) => pool)
      yield* Terminal.compact({ kind: "top", name, ...document, pools })
    }
  }).pipe(Effect.repeat(Schedule.spaced("1 second")), Effect.asVoid)

export const command = Command.make("top", { ...Flags.found, json: Flags.json }, ({ json, ...target }) =>
  Finding.withFound(target, (found) => top(found, json))
).pipe(
  Command.withDescription(
    "Show pools live: rates, waiting and running calls with their age, boots, functions, recent failures. Keys: q quits, arrows scroll. Without a terminal it prints one screen."
  ),
  Command.withShortDescription("Show pools live"),
  Command.withExamples([
    { command: "effect-flame top -n shop", description: "All parents of a namespace, and of this machine" },
    {
      command: "effect-flame top --json | jq -c '.pools[] | [.pool, .waiting, .busySlots]'",
      description: "Each second"
    }
  ])
)
