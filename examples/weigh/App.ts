/** The parent's part: reads the command line, weighs all packages, and prints the result. */
import { fileURLToPath } from "node:url"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Clock, Console, Effect, Equal, Option, Result, Schema, Stream } from "effect"
import { Argument, CliError, Command, Flag } from "effect/cli"
import { Flame, FlameError, Pool } from "effect-flame"
import { Minifier } from "./Minifier.ts"
import * as Packages from "./Packages.ts"
import * as Progress from "./Progress.ts"
import * as Report from "./Report.ts"
import { weigh, type Weight } from "./Weigh.ts"
import { weighPackage } from "./WeighLive.ts"

/** Calls in flight: enough for the pool to see the demand, far below its `queueCapacity`. */
const inFlight = 1_000

type Weigher<E extends Error, R> = (folder: string) => Effect.Effect<Weight, E, R>

/** Weighs all packages, `concurrency` at a time. Answers with the outcomes and the time taken. */
const weighAll = <E extends Error, R>(
  packages: ReadonlyArray<Packages.Package>,
  concurrency: number,
  by: Effect.Effect<string>,
  weigher: Weigher<E, R>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const figures = { done: 0, total: packages.length, bytes: 0 }
      yield* Progress.show(Effect.map(by, (by) => ({ ...figures, by })))
      const started = yield* Clock.currentTimeMillis
      const outcomes = yield* Effect.forEach(
        packages,
        ({ folder, name }) =>
          weigher(folder).pipe(
            Effect.result,
            Effect.map((result): Report.Outcome => {
              figures.done++
              if (Result.isSuccess(result)) figures.bytes += result.success.raw
              return { name, result }
            })
          ),
        { concurrency }
      )
      return { outcomes, millis: (yield* Clock.currentTimeMillis) - started }
    })
  )

const onRunners = Effect.fnUntraced(function* (packages: ReadonlyArray<Packages.Package>) {
  const pool = yield* Pool
  const boots: Array<number> = []
  // Stops the program at once when the pool closes. The pool would let calls in flight finish, but half a table is useless.
  const untilStopped = pool.events.pipe(
    Stream.takeUntil(({ _tag }) => _tag === "PoolClosing"),
    Stream.runForEach((event) =>
      Effect.sync(() => {
        if (event._tag === "RunnerReady") boots.push(event.phases["ready"] ?? 0)
      })
    ),
    Effect.andThen(Effect.interrupt)
  )
  const by = Effect.map(pool.status, ({ ready, waiting }) => `${Report.plural(ready, "runner")}, ${waiting} waiting`)
  const weighing = weighAll(packages, inFlight, by, (folder) => Flame.call(weigh, { folder }))
  const weighed = yield* Effect.raceFirst(untilStopped, weighing)
  yield* Console.log(`${Report.pool(yield* pool.status, boots)}\n`)
  return weighed
})

const inOneProcess = (packages: ReadonlyArray<Packages.Package>) =>
  Effect.provide(weighAll(packages, 1, Effect.succeed("one process"), weighPackage), Minifier.layer)

/** The two tables differ, so that one of them is wrong. */
class TablesDiffer extends Schema.TaggedError<TablesDiffer>()("TablesDiffer", {}) {
  override readonly message = "the tables of both ways differ: this is a bug, please report it"
}

/** Runners failed, so that some packages were not weighed. */
class RunnersFailed extends Schema.TaggedError<RunnersFailed>()("RunnersFailed", { packages: Schema.Int }) {
  override get message() {
    return `${Report.plural(this.packages, "package")} could not be weighed because runners failed`
  }
}

const atLeast = (least: number) =>
  Flag.filter(
    (count: number) => count >= least,
    () => `at least ${least}`
  )

const flags = {
  folder: Argument.String("folder").pipe(
    Argument.withDescription("A node_modules folder; that of this project where it is left out"),
    Argument.withDefault(fileURLToPath(new URL("../../node_modules", import.meta.url)))
  ),
  serial: Flag.Boolean("serial").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Do it in one process, one package after the other")
  ),
  compare: Flag.Boolean("compare").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Do it both ways, which must give the same table")
  ),
  runners: Flag.Int("runners").pipe(atLeast(1), Flag.withDescription("How many runners at most"), Flag.optional),
  limit: Flag.Int("limit").pipe(atLeast(0), Flag.withDescription("Weigh only so many packages"), Flag.optional),
  top: Flag.Int("top").pipe(atLeast(0), Flag.withDescription("How many packages the table names"), Flag.withDefault(20))
}

/** Weighs on runners, in one process, or both, and prints the result. */
export const run = Effect.fnUntraced(function* (options: Command.Command.Config.Infer<typeof flags>) {
  const { compare, folder, limit, runners, serial, top } = options
  const found = yield* Packages.find(folder)
  const packages = found.slice(0, Option.getOrUndefined(limit))
  yield* Console.log(`weighing ${packages.length} of ${Report.plural(found.length, "package")} in ${folder}`)
  if (Option.isSome(runners)) yield* (yield* Pool).resize({ max: runners.value })

  const parallel = serial ? undefined : yield* onRunners(packages)
  const alone = serial || compare ? yield* inOneProcess(packages) : undefined
  const { millis, outcomes } = (parallel ?? alone)!
  yield* Console.log(`${Report.table(outcomes, top)}\n`)

  const failed = outcomes.filter(
    ({ result }) => Result.isFailure(result) && result.failure instanceof FlameError.FlameError
  )
  if (failed.length > 0) return yield* new RunnersFailed({ packages: failed.length })
  if (parallel === undefined || alone === undefined) return yield* Console.log(`it took ${Report.seconds(millis)}`)
  if (!Equal.equals(Report.facts(parallel.outcomes), Report.facts(alone.outcomes))) return yield* new TablesDiffer()
  const times = `${Report.seconds(alone.millis)} in one process, ${Report.seconds(parallel.millis)} on runners`
  yield* Console.log(
    `both ways gave the same table: ${times}, ${(alone.millis / parallel.millis).toFixed(2)} times as fast`
  )
})

const command = Command.make("weigh", flags, (options) =>
  // Printed as one line without a stack: these are errors of the user's input, not of the program.
  Effect.mapError(run(options), (cause) => new CliError.UserError({ cause }))
).pipe(Command.withDescription("Weighs every package of a node_modules folder: minified and compressed, on runners"))

export const app = Command.run(command, { version: "0.0.0" }).pipe(
  Effect.onInterrupt(() => Console.log("\nstopped before the end")),
  Effect.provide(NodeServices.layer)
)
