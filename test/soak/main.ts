/**
 * Makes random calls while runners are killed, stopped and blocked.
 *
 *     node test/soak/main.ts [--minutes 10] [--seed N] [--callers 32]
 *
 * Checks that every call ends with its own result, or with an error that fits the fault done to its runner. Every 20 s, at
 * rest, checks that no process and no file is left and that memory stays flat. Fails otherwise.
 */
import { parseArgs } from "node:util"
import { Console, Effect, Layer, Logger, Schedule, Schema, Stream } from "effect"
import { Flame, type FlameError, FlameLayer, Pool, type PoolEvent, type PoolShape } from "../../src/index.ts"
import * as Random from "../simulation/Random.ts"
import { Calling, calmGrace, settings } from "./Calling.ts"
import { Calls } from "./Calls.ts"
import * as CalmCalls from "./CalmCalls.ts"
import { Checkpoint } from "./Checkpoint.ts"
import { Fates } from "./Fates.ts"
import { Faults } from "./Faults.ts"
import { Calm } from "./Functions.ts"
import { Judge } from "./Judge.ts"
import { Ledger } from "./Ledger.ts"
import { Marks } from "./Marks.ts"
import * as Processes from "./Processes.ts"
import { growth } from "./Trend.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string" },
    callers: { type: "string", default: "32" }
  }
})
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
const millis = Number(values.minutes) * 60_000

const ledger = new Ledger()
const fates = new Fates(ledger)
const marks = new Marks(ledger, fates)
const calling = new Calling(ledger, new Judge(ledger, fates), marks)
const calls = new Calls(calling)
const faults = new Faults(fates, calling.gate)
const checkpoint = new Checkpoint(ledger, fates, faults, calling.gate, marks)

const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`

const started = performance.now()
const line = Effect.gen(function* () {
  ledger.overdue()
  const { booting, ready, waiting } = yield* (yield* Pool).status
  const seconds = (performance.now() - started) / 1000
  const size = checkpoint.sizes.at(-1)
  const memory =
    size === undefined
      ? ""
      : `; heap ${mib(size.heap)}, rss ${mib(size.rss)}, runner ${mib(size.runnerHeap)}, ${size.files} files`
  yield* Console.log(
    `${seconds.toFixed(0)} s: ${ledger.calls} calls (${(ledger.calls / seconds).toFixed(0)}/s), ${ledger.summary}; ` +
      `${ready} runners, ${booting} boot, ${waiting} wait; ${fates.events.get("BootStarted") ?? 0} boots, ${faults.sent} signals, ${fates.lost} lost${memory}`
  )
})

const soak = Effect.gen(function* () {
  const pool = yield* Pool
  const watch = (pool: PoolShape, look: (event: PoolEvent) => void) =>
    Stream.runForEach(pool.events, (event) => Effect.sync(() => look(event)))
  const random = (index: number) => Random.make(seed * 1_000 + index)
  const endless: ReadonlyArray<Effect.Effect<unknown, FlameError.FlameError, Pool | Calm>> = [
    watch(pool, (event) => fates.event(event)),
    watch(yield* Calm, (event) => fates.calmEvent(event)),
    faults.signals(random(0)),
    faults.resizes(random(1)),
    ...Array.from({ length: 3 }, (_, index) => CalmCalls.caller(calling, random(2 + index))),
    ...Array.from({ length: Number(values.callers) }, (_, index) => calls.caller(random(10 + index))),
    Effect.repeat(line, Schedule.spaced("10 seconds"))
  ]
  for (const effect of endless) yield* Effect.forkScoped(effect, { startImmediately: true })
  while (performance.now() - started < millis) {
    yield* calling.gate.open
    yield* Effect.sleep(Math.min(20_000, millis - (performance.now() - started)))
    yield* checkpoint.run
  }
  yield* line
  const { totals } = yield* pool.status
  const failed = totals.castsFailed
  if (marks.castsRun > marks.casts || marks.castsRun < marks.casts - failed) {
    ledger.violation(`of ${marks.casts} casts ${marks.castsRun} ran and ${failed} failed`)
  }
})

/**
 * MiB by which the last third of the figures at rest may exceed the middle third. Memory outside the heap depends on
 * the size of the last messages, for which encoders and the allocator keep room.
 */
const bounds = { heap: 2, external: 24, runnerHeap: 2, rss: 64 } as const

const verdict = Effect.gen(function* () {
  for (const name of ["heap", "external", "runnerHeap", "rss"] as const) {
    const samples = checkpoint.sizes.map((sizes) => sizes[name])
    const grown = growth(samples)
    yield* Console.log(`${name}: ${samples.map(mib).join(", ")}; grown by ${mib(grown)}`)
    if (grown > bounds[name] * 1024 * 1024) ledger.violation(`${name} grew by ${mib(grown)}`)
  }
  for (const { args, pid } of Processes.children())
    ledger.violation(`process ${pid} is left at the end: ${args.slice(-80)}`)
  const counted = (counts: ReadonlyMap<string, number>) =>
    [...counts].map(([name, count]) => `${name} ${count}`).join(", ")
  yield* Console.log(`events: ${counted(fates.events)}; failed boots: ${counted(fates.failedBoots) || "none"}`)
  yield* Console.log(`${marks.casts} casts were accepted, ${marks.castsRun} ran`)
  yield* Console.log(`latest answer: ${Math.max(0, Math.round(ledger.latest))} ms after its limit`)
  marks.dispose()
  if (ledger.violations.length === 0) return yield* Console.log(`nothing found in ${ledger.calls} calls, seed ${seed}`)
  return yield* new Found({ violations: ledger.violations.length, seed })
})

class Found extends Schema.TaggedError<Found>()("Found", { violations: Schema.Int, seed: Schema.Int }) {
  override get message() {
    return `${this.violations} things happened that must not; --seed ${this.seed} makes the same calls again`
  }
}

const runners = Calm.layer({ min: 1, max: 1, concurrency: 4, cancelGrace: calmGrace }).pipe(
  Layer.provideMerge(
    FlameLayer.local({
      ...settings,
      max: 4,
      silenceLimit: "20 seconds",
      entry: new URL("./runner.ts", import.meta.url),
      execArgv: ["--expose-gc"],
      env: { SOAK_MARKS: marks.file }
    })
  ),
  // Output of killed runners and failures of casts are expected, and not logged.
  Layer.provide(Logger.layer([]))
)

Console.log(`seed ${seed}`).pipe(
  Effect.andThen(Effect.scoped(Effect.provide(soak, runners))),
  Effect.andThen(verdict),
  Flame.runMain
)
