/**
 * Places hundreds of services while their runners, their owners and the services themselves die.
 *
 *     node test/soak/place.ts [--seconds 600] [--services 200] [--runners 10] [--seed N]
 *
 * Each owner places a service, sends requests and takes streams. Then the owner's Scope closes, the owner is interrupted, or
 * the service ends, dies or cannot be built. Runners are killed meanwhile, and owners in processes of their own. At the end
 * no slot, waiting call, fiber, service, socket or process may be left. Fails with a list of those that are.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { parseArgs } from "node:util"
import { Console, Effect, Layer, Logger, Schedule, Schema, Stream } from "effect"
import { Flame, FlameLayer, Pool, type PoolEvent } from "../../src/index.ts"
import * as Random from "../simulation/Random.ts"
import { PlaceBooks } from "./PlaceBooks.ts"
import { left, PlaceDeaths } from "./PlaceDeaths.ts"
import { PlaceOwners, poolStatus } from "./PlaceOwners.ts"
import { census, countingFibers, fibers, handles, OwnerLive } from "./PlaceServices.ts"
import * as Processes from "./Processes.ts"

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    services: { type: "string", default: "200" },
    runners: { type: "string", default: "10" },
    seed: { type: "string" }
  }
})
const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed)
const [seconds, services, max] = [values.seconds, values.services, values.runners].map(Number) as [
  number,
  number,
  number
]
const concurrency = Math.ceil(services / max)
const marker = `soak-place-${process.pid}`

/** The time within which all must come to rest, in milliseconds. */
const restLimit = 30_000

// The start of the load.
let started = performance.now()
const books = new PlaceBooks()
const isOver = () => performance.now() - started > seconds * 1_000
const owners = new PlaceOwners(books, isOver)
const deaths = new PlaceDeaths(books, isOver, marker)

const line = Effect.gen(function* () {
  const { booting, busySlots, ready, waiting } = yield* poolStatus
  yield* Console.log(
    `${((performance.now() - started) / 1000).toFixed(0)} s: ${ready} runners, ${booting} boot, ${busySlots} slots busy, ` +
      `${waiting} wait, ${fibers.living} fibers; ${books.summary}`
  )
})

/** Checks that a runner ends only because it was killed, or because the pool ends it. */
const watch = (event: PoolEvent): void => {
  if (event._tag === "BootStarted") books.count("boots")
  if (event._tag === "RunnerUnresponsive" || event._tag === "RunnerStuck") books.count(event._tag)
  if ((event._tag !== "RunnerGone" || event.why !== undefined) && event._tag !== "BootFailed") return
  books.count(event._tag)
  const { exit, cause } = { exit: undefined, cause: undefined, ...event }
  if (!books.killed.has(event.runner))
    books.violation(`runner ${event.runner} went by itself: ${JSON.stringify(exit ?? cause)}`)
}

const until = <R>(what: string, problem: Effect.Effect<string | undefined, never, R>) =>
  Effect.gen(function* () {
    const began = performance.now()
    for (;;) {
      const found = yield* problem
      if (found === undefined) return
      if (performance.now() - began > restLimit) return books.violation(`not ${what}: ${found}`)
      yield* Effect.sleep(50)
    }
  })

/** Fills every slot of every runner, so that all runners are inspected in the same state. */
const censusOfAll = Effect.gen(function* () {
  yield* (yield* Pool).resize({ min: max })
  yield* until(
    "every runner is ready",
    Effect.map(poolStatus, ({ ready }) => (ready === max ? undefined : `${ready} are`))
  )
  const all = yield* Effect.forEach(
    Array.from({ length: max * concurrency }),
    () => Flame.call(census, { after: 1_500 }),
    { concurrency: "unbounded" }
  )
  yield* (yield* Pool).resize({ min: 0 })
  // Keeps the first result of each runner, because later ones see fewer calls beside them.
  const runners = new Map<string, (typeof all)[number]>()
  for (const one of all) {
    const before = runners.get(one.runner)
    if (before === undefined || before.fibers < one.fibers) runners.set(one.runner, one)
  }
  return [...runners.values()]
})

const soak = Effect.gen(function* () {
  const fresh = yield* censusOfAll
  const usual = Math.max(...fresh.map((runner) => runner.fibers))
  yield* Console.log(`${fresh.length} fresh runners: ${JSON.stringify(fresh[0])}`)
  started = performance.now()
  const random = (index: number) => Random.make(seed * 1_000 + index)
  yield* Effect.forkScoped(
    Stream.runForEach((yield* Pool).events, (event) => Effect.sync(() => watch(event))),
    { startImmediately: true }
  )
  const lines = yield* Effect.forkChild(Effect.repeat(line, Schedule.spaced("10 seconds")))
  yield* Effect.all(
    [
      deaths.runners(random(0)),
      deaths.owners(random(1), Math.ceil(services / 10)),
      ...Array.from({ length: services }, (_, index) => owners.forever(random(10 + index)))
    ],
    { concurrency: "unbounded", discard: true }
  )
  lines.interruptUnsafe()
  yield* line
  yield* until(
    "the pool is at rest",
    Effect.map(poolStatus, ({ busySlots, leases, suspended, waiting }) =>
      busySlots + leases + suspended + waiting === 0
        ? undefined
        : `${busySlots} slots busy, ${waiting} wait, ${leases} leases, ${suspended} suspended`
    )
  )
  for (const found of yield* censusOfAll) {
    if (found.services !== 0) books.violation(`${found.services} services are left on runner ${found.runner}`)
    if (found.fibers > usual) books.violation(`runner ${found.runner} has ${found.fibers} fibers, a fresh one ${usual}`)
    const [now, then] = [found.handles, fresh[0]!.handles].map((of) => JSON.stringify(of))
    if (now !== then) books.violation(`runner ${found.runner} has handles ${now}, a fresh one ${then}`)
  }
})

const runners = FlameLayer.local({
  max,
  concurrency,
  idleTimeToLive: "60 seconds",
  cancelGrace: 2_000,
  entry: new URL("./placeRunner.ts", import.meta.url),
  env: { SOAK_PLACE: marker, SOAK_PLACE_NOTES: books.notes }
})

/** The fibers, files and handles of this process without a pool. */
const here = () => ({ fibers: fibers.living, files: Processes.openFiles() ?? 0, handles: JSON.stringify(handles()) })

const verdict = (before: ReturnType<typeof here>) =>
  Effect.gen(function* () {
    const differences = Effect.sync(() => {
      const now = here()
      const processes = left(marker, process.pid)
      if (processes.length > 0) return processes.join("\n")
      const same = now.fibers <= before.fibers && now.files <= before.files && now.handles === before.handles
      return same ? undefined : `${JSON.stringify(now)}, before ${JSON.stringify(before)}`
    })
    yield* until("without anything left of this process", differences)
    for (const service of books.unfinished) books.violation(`service was never gone: ${service}`)
    yield* Console.log(`at the end ${JSON.stringify(here())}; before ${JSON.stringify(before)}`)
    yield* Console.log(books.summary)
    books.dispose()
    if (books.violations.length === 0) return yield* Console.log(`nothing is left, seed ${seed}`)
    return yield* new Found({ violations: books.violations.length, seed })
  })

class Found extends Schema.TaggedError<Found>()("Found", { violations: Schema.Int, seed: Schema.Int }) {
  override get message() {
    return `${this.violations} things were left or happened that must not; seed ${this.seed}`
  }
}

Effect.gen(function* () {
  yield* Console.log(`seed ${seed}`)
  // Node keeps /dev/null open after the first child process with pipes and without input.
  const first = spawn(process.execPath, ["--version"], { stdio: ["ignore", "pipe", "pipe"] })
  first.stdout.resume()
  first.stderr.resume()
  yield* Effect.promise(() => once(first, "close"))
  // The handle of a process that has ended exists for one more turn.
  yield* Effect.sleep(100)
  const before = here()
  yield* Effect.provide(Effect.scoped(soak), Layer.merge(runners, OwnerLive).pipe(Layer.provide(Logger.layer([]))))
  yield* verdict(before)
}).pipe(countingFibers, Flame.runMain)
