/** The command `top`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Command from "effect/cli/Command"
import type * as Inventory from "./cluster/Inventory.ts"
import * as Finding from "./Finding.ts"
import * as Flags from "./Flags.ts"
import * as Screen from "./Screen.ts"
import type { StatusDocument } from "../status/record/StatusDocument.ts"
import type { Parent } from "./status/Parents.ts"
import { documentOf, events, read, type StatusSource } from "./status/StatusSource.ts"
import * as Terminal from "./Terminal.ts"
import * as Top from "./screen/Top.ts"

/** A parent, and its latest status. */
interface Watched {
  readonly key: string
  readonly name: string
  readonly source: StatusSource | undefined
  readonly parent: Parent
  document: StatusDocument | undefined
  runners: ReadonlyArray<Inventory.RunnerView>
  silence: string | undefined
  follower: Fiber.Fiber<never> | undefined
}

/** Milliseconds between screens. */
const pace = 500

/** The time between two searches for parents that come or go. */
const lookEvery = "3 seconds"

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

const keyOf = ({ name, source, view }: Parent): string => source?.name ?? view?.parent ?? name

const watch = (parent: Parent): Watched => ({
  key: keyOf(parent),
  name: parent.name,
  source: parent.source,
  parent,
  document: parent.document,
  runners: parent.view?.runners ?? [],
  silence: parent.silence?.message,
  follower: undefined
})

/** The parents whose connection works. A search for parents need not ask them for their status. */
const answering = (all: Iterable<Watched>): ReadonlyArray<Parent> => {
  const parents: Array<Parent> = []
  for (const { document, parent, silence } of all) {
    if (silence === undefined) parents.push({ ...parent, document })
  }
  return parents
}

/** Takes the parents of a look: those that came are followed, those that went are forgotten. */
const update = (all: Map<string, Watched>, parents: ReadonlyArray<Parent>) =>
  Effect.gen(function* () {
    const keys = new Set(parents.map(keyOf))
    for (const { follower, key } of [...all.values()].filter(({ key }) => !keys.has(key))) {
      all.delete(key)
      if (follower !== undefined) yield* Fiber.interrupt(follower)
    }
    for (const parent of parents) {
      const known = all.get(keyOf(parent))
      if (known !== undefined) {
        known.runners = parent.view?.runners ?? []
        continue
      }
      const watched = watch(parent)
      all.set(watched.key, watched)
      if (watched.source !== undefined) watched.follower = yield* Effect.forkChild(follow(watched, watched.source))
    }
  })

const titleOf = ({ where }: Finding.Found): string =>
  where.namespace === undefined ? "this machine" : `namespace ${where.namespace}`

/** Shows parents until the user quits. Without a terminal: one screen, or with `asJson` a document each second. */
export const top = (found: Finding.Found, asJson: boolean) =>
  Effect.gen(function* () {
    const terminal = yield* Terminal.Terminal
    const title = titleOf(found)
    if (asJson) return yield* printed(found)
    const all = new Map<string, Watched>()
    const draw = (columns: number) =>
      Effect.map(Clock.currentTimeMillis, (now) => Top.lines([...all.values()], title, now, terminal.paint, columns))
    if (!terminal.canRedraw) {
      for (const parent of found.parents) all.set(keyOf(parent), watch(parent))
      return yield* Effect.flatMap(draw(Infinity), Terminal.lines)
    }
    const look = Effect.ignore(
      Effect.flatMap(
        Effect.suspend(() => found.again(answering(all.values()))),
        ({ parents }) => update(all, parents)
      )
    )
    yield* update(all, found.parents)
    const beside = yield* Effect.forkChild(Effect.forever(Effect.andThen(Effect.sleep(lookEvery), look)))
    yield* Screen.show(
      ({ columns, rows, scroll }) =>
        Effect.map(draw(columns), (lines) => Top.fit(lines, { columns, rows, scroll }, terminal.paint)),
      pace
    ).pipe(Effect.ensuring(Fiber.interrupt(beside)))
  })

const noStatus =
  "no parent shows its status yet: provide FlameStatus.layer() in the program. Parents that start now are shown"

/** Prints a document of each parent, one a line. Returns the parents that answered. */
const printOnce = (parents: ReadonlyArray<Parent>) =>
  Effect.gen(function* () {
    const answered: Array<Parent> = []
    for (const parent of parents) {
      const { name, source } = parent
      const document = source === undefined ? undefined : yield* Effect.orElseSucceed(read(source), () => undefined)
      if (document === undefined) continue
      answered.push({ ...parent, document })
      const pools = document.pools.map(({ calls: _, ...pool }) => pool)
      yield* Terminal.compact({ kind: "top", name, ...document, pools })
    }
    return answered
  })

/** Prints a document of each parent each second, one a line. Looks for other parents every third time. */
const printed = (found: Finding.Found) =>
  Effect.gen(function* () {
    let { parents } = found
    let isHinted = false
    for (let round = 1; ; round++) {
      const answered = yield* printOnce(parents)
      if (answered.length === 0 && !isHinted) {
        isHinted = true
        yield* Terminal.hint(noStatus)
      }
      yield* Effect.sleep("1 second")
      if (round % 3 !== 0) continue
      const again = yield* Effect.option(found.again(answered))
      if (Option.isSome(again)) parents = again.value.parents
    }
  })

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
