import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { EntryMissing, LaunchFailed } from "../../../../src/error/BootFailure.ts"
import * as Flame from "../../../../src/Flame.ts"
import { FlameError, RemoteDefect } from "../../../../src/error/FlameError.ts"
import { Pool } from "../../../../src/pool/Pool.ts"
import * as Random from "../../../simulation/Random.ts"
import { Kind } from "../../../../src/wire/Frame.ts"
import { preload } from "../../../stack/preload.ts"
import { frame } from "../../../wire/kit.ts"
import { type Board, Refusal } from "../functions.ts"
import { type Setup, start, withPool, type World } from "../harness.ts"
import { Chaos, collectingUncaught, isThrown } from "./Chaos.ts"
import { manners, Readers } from "./Readers.ts"
import { countingNested } from "./NestedEntries.ts"
import * as Work from "./Work.ts"

// Loaded when a caller first needs them, which takes real time.
beforeAll(preload)

/**
 * Schedules per run. More schedules find rarer faults: `FLAME_TEST_SEEDS=2000 npx vitest run
 * test/conformance/memory/random/random`.
 */
const seeds = Number(process.env["FLAME_TEST_SEEDS"] ?? 30)
const firstSeed = Number(process.env["FLAME_TEST_FIRST_SEED"] ?? 1)

interface Made {
  readonly job: Work.Job
  readonly idempotent: boolean
  readonly fiber: Fiber.Fiber<{ readonly id: number }, Refusal | FlameError>
  interrupted: boolean
}

/** Work of which only the end is checked: it comes, and its error is one of a pool, a function or foreign code. */
interface Other {
  readonly name: string
  readonly fiber: Fiber.Fiber<unknown, unknown>
  interrupted: boolean
}

describe("random schedules", () => {
  it.effect(
    "[C55] [C107] never exceed max, and lose or mix up no call, whatever boots, runners, callers and their callbacks do",
    () =>
      collectingUncaught((uncaught) =>
        Effect.gen(function* () {
          let thrown = 0
          for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
            thrown += yield* Effect.catchCause(schedule(seed), (cause) =>
              Effect.die(new Error(`seed ${seed}`, { cause: cause.reasons[0] }))
            )
          }
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
          // An error thrown by a callback reaches the process's handler of uncaught errors and nothing else, and none
          // is missing.
          assert.lengthOf(
            uncaught.filter((error) => error === thrownByCallback),
            thrown
          )
          const others = uncaught.filter((error) => error !== thrownByCallback && !isThrown(error))
          assert.deepStrictEqual(others, [])
        })
      ),
    600_000
  )
})

const thrownByCallback = new Error("headers already sent")

const schedule = (seed: number) => {
  const random = Random.make(seed)
  const below = (n: number) => Math.floor(random() * n)
  const among = <A>(values: ReadonlyArray<A>): A => values[below(values.length)]!
  const max = 1 + below(4)
  // Drawn from another sequence, so that the course of a seed does not depend on what throws.
  const chaos = new Chaos(Random.make(seed + 0x5eed))
  const isChaotic = random() < 0.4
  const isHostile = random() < 0.25
  const { foreign } = chaos
  const hook = (name: string) => () => Effect.sync(() => foreign(name))
  const idleWhen = Work.idler(foreign, Random.make(seed + 0x1d1e), () => chaos.rate > 0)
  const setup: Setup = {
    serve: [Work.once, Work.often, Work.thrice, Work.outer, Work.desk, Work.Procedures, idleWhen],
    ...(isChaotic ? { idleWhen } : {}),
    handlers: Work.ProceduresLive,
    foreign,
    beforeBoot: hook("beforeBoot"),
    afterBoot: () => {
      foreign("afterBoot")
      return Effect.void
    },
    onRunnerLost: () => {
      foreign("onRunnerLost")
      return Effect.void
    },
    min: below(Math.min(2, max) + 1),
    max,
    most: max + 1,
    concurrency: 1 + below(3),
    spare: among([0, 0, 1, 0.5]),
    strategy: among(["spread", "pack"]),
    idleTimeToLive: among([500, 3_000]),
    drainTimeout: 4_000,
    cancelGrace: 1_000,
    reasonGrace: among([0, 50, 500]),
    bootTimeout: 3_000,
    silenceLimit: 6_000,
    queueCapacity: among([4, 1_000]),
    ...(random() < 0.3 ? { maxCalls: 1 + below(3) } : {}),
    ...(random() < 0.3 ? { maxLifetime: 5_000 } : {}),
    attempts: among([1, 2, 3]),
    bootPatience: among([2_000, 20_000, 60_000]),
    crashLoopTime: among([0, 2_000, 10_000]),
    tracer: random() < 0.5,
    closesWithin: "20 seconds"
  }
  const thrown = { count: 0 }
  const player = { below, among, thrown, chaos, isChaotic, isHostile, closes: random() < 0.2 }
  const played = countingNested((nested) =>
    withPool(setup, (world) => Effect.ensuring(play(world, setup, { ...player, nested }), calm(chaos)))
  )
  return Effect.as(
    Effect.suspend(() => chaos.whileSendThrows(played)),
    thrown
  ).pipe(Effect.map(({ count }) => count))
}

const calm = (chaos: Chaos) =>
  Effect.sync(() => {
    chaos.rate = 0
  })

interface Player {
  readonly below: (n: number) => number
  readonly among: <A>(values: ReadonlyArray<A>) => A
  /** Errors that observers of callers' fibers have thrown. */
  readonly thrown: { count: number }
  readonly chaos: Chaos
  /** Whether foreign code throws. */
  readonly isChaotic: boolean
  /** Whether runners send frames that break the protocol, or lie. */
  readonly isHostile: boolean
  /** The number of entries and bytes that are held for nested calls. */
  readonly nested: () => number
  /** Whether the pool closes amid the work. */
  readonly closes: boolean
}

const play = (
  world: World,
  setup: Setup,
  { among, below, chaos, closes, isChaotic, isHostile, nested, thrown }: Player
): Effect.Effect<void, never, Pool | Board | Scope.Scope> =>
  Effect.gen(function* () {
    const { faults, pool, board, runners } = world
    const context = yield* Effect.context<Pool>()
    const made: Array<Made> = []
    const casts: Array<number> = []
    const others: Array<Other> = []
    /** Runners that have sent bytes of their own. */
    const liars = new Set<string>()
    const scopes: Array<Scope.Closeable> = []
    const readers = new Readers(pool)
    let ids = 0
    chaos.rate = isChaotic ? among([0.02, 0.2]) : 0
    let most = setup.max!
    let widest = setup.concurrency!
    const job = (): Work.Job => ({
      id: 10 * ids++,
      millis: among([0, 1, 10, 300, 2_500]),
      ends: among(["well", "well", "well", "badly", "dead", "late"]),
      trouble: isChaotic ? among(Work.troubles) : ""
    })
    const follow = <A, E>(name: string, effect: Effect.Effect<A, E, Pool | Scope.Scope>) =>
      Effect.map(start(effect), (fiber) => void others.push({ name, fiber, interrupted: false }))
    const inner = () => ({ inner: job(), kind: among(Work.kinds), take: 1 + below(4) })
    const call = Effect.gen(function* () {
      const idempotent = below(4) === 0
      const one = job()
      const timeout = below(3) === 0 ? among([0, 50, 1_000, 2_000, 5_000]) : "Infinity"
      made.push({
        job: one,
        idempotent,
        interrupted: false,
        fiber: yield* start(Flame.call(idempotent ? Work.often : Work.once, one, { timeout }))
      })
    })
    const anybody = Effect.map(faults.list, (list) => (list.length === 0 ? undefined : among(list).id))
    const some = (use: (id: string) => Effect.Effect<void>) =>
      Effect.flatMap(anybody, (id) => (id === undefined ? Effect.void : use(id)))

    const actions: ReadonlyArray<
      readonly [weight: number, action: () => Effect.Effect<unknown, never, Pool | Board | Scope.Scope>]
    > = [
      [30, () => call],
      [4, () => Effect.repeat(call, { times: 6 })],
      [
        6,
        () => {
          const one = job()
          const taken = Flame.stream(Work.thrice, one, { timeout: among([50, 2_000, 20_000]) }).pipe(
            Stream.take(1 + below(4)),
            Stream.runForEach(({ id }) => Effect.sync(() => assert.strictEqual(id, one.id)))
          )
          return follow("a stream", taken)
        }
      ],
      [
        8,
        () => {
          const payload = { id: 10 * ids++, depth: 1 + below(3), ...inner() }
          return follow(
            `a nested ${payload.kind}`,
            Flame.call(Work.outer, payload, { timeout: among([2_000, 60_000]) })
          )
        }
      ],
      [
        6,
        () => {
          const { inner: one, kind, take } = inner()
          return follow(`a ${kind}`, Work.doing(kind, one, take))
        }
      ],
      [
        3,
        () => {
          // Several services and readers share a Scope, which a later action closes amid their work.
          const scope = Scope.makeUnsafe()
          scopes.push(scope)
          const shared = Effect.gen(function* () {
            const client = yield* Flame.place(Work.desk, job(), { timeout: among([500, 20_000]) })
            yield* Effect.forkScoped(Effect.exit(client.work(job())))
            yield* Stream.runDrain(client.counted({ to: 5, millis: among([0, 100]) }))
          })
          return Effect.andThen(
            follow("a service in a shared scope", Scope.provide(shared, scope)),
            follow("a service in a shared scope", Scope.provide(shared, scope))
          )
        }
      ],
      [
        3,
        () => {
          const scope = scopes.pop()
          return scope === undefined ? Effect.void : follow("the close of a scope", Scope.close(scope, Exit.void))
        }
      ],
      [
        isHostile ? 4 : 0,
        () =>
          some((id) =>
            Effect.sync(() => {
              liars.add(id)
              const body = Buffer.from(Array.from({ length: among([0, 1, 4, 9, 30]) }, () => below(256)))
              const lie = frame(among(Object.values(Kind)), below(6), body)
              world.inject(id, below(8) === 0 ? body : lie)
            })
          )
      ],
      [
        6,
        () =>
          // An observer of a caller's fiber that throws inside the frame of the pool that ends the call.
          Effect.sync(() => {
            const refused = Flame.call(Work.once, job(), { timeout: among([50, 2_000, 20_000]) })
            thrown.count++
            try {
              Effect.runCallbackWith(context)(refused, {
                onExit: () => {
                  throw thrownByCallback
                }
              })
            } catch {
              // The call ended at once, in the frame of the fiber that started it.
              thrown.count--
            }
          })
      ],
      [
        4,
        () => {
          const one = job()
          return Effect.map(Effect.exit(Flame.cast(Work.once, one)), () => void casts.push(one.id))
        }
      ],
      [
        6,
        () => {
          const open = [...made, ...others].filter(({ fiber }) => fiber.pollUnsafe() === undefined)
          if (open.length === 0) return Effect.void
          const victim = among(open)
          victim.interrupted = true
          return start(Fiber.interrupt(victim.fiber))
        }
      ],
      [
        4,
        () =>
          start(
            Effect.ignore(
              Pool.withRunner(Effect.andThen(call, Effect.andThen(Effect.sleep(among([0, 100, 2_000])), call)))
            )
          )
      ],
      [3, () => readers.begin(among(manners), below(40))],
      [2, () => readers.interrupt(among)],
      [5, () => some((id) => faults.lose({ id }))],
      [2, () => some((id) => faults.disconnect({ id, tellAfter: among([0, 20, 300, 3_000]) }))],
      [1, () => some((id) => faults.disconnect({ id }))],
      [3, () => some((id) => faults.terminate(id))],
      [3, () => some((id) => faults.freeze(true, id))],
      [3, () => faults.freeze(false)],
      [3, () => faults.failBoots(...Array.from({ length: 1 + below(3) }, () => new LaunchFailed({ detail: "no" })))],
      [1, () => faults.failBoots(new EntryMissing({ entry: "no" }))],
      [2, () => faults.delayBoots(among([0, 0, 100, 5_000]))],
      [1, () => faults.muteBoots(below(2) === 0)],
      [
        2,
        () => {
          const concurrency = 1 + below(3)
          const max = Math.max(setup.min!, 1 + below(setup.max! + 1))
          most = Math.max(most, max)
          widest = Math.max(widest, concurrency)
          return pool.resize({ max, concurrency })
        }
      ],
      [25, () => Effect.andThen(TestClock.adjust(among([1, 10, 100, 1_000, 2_000])), yields(1 + below(20)))],
      [10, () => yields(1 + below(8))]
    ]
    const total = actions.reduce((sum, [weight]) => sum + weight, 0)
    const next = () => {
      let at = below(total)
      return actions.find(([weight]) => (at -= weight) < 0)![1]()
    }
    const closesAt = closes ? 20 + below(100) : Infinity
    for (let i = 0; i < 120; i++) {
      if (i === closesAt) yield* start(world.close)
      yield* next()
      assert.isAtMost(runners.now, most, "runners that exist")
    }

    // From here on no fault is injected any more, and everything must end.
    yield* calm(chaos)
    for (const scope of scopes) yield* follow("the close of a scope", Scope.close(scope, Exit.void))
    yield* faults.freeze(false)
    yield* faults.delayBoots(0)
    yield* faults.muteBoots(false)
    const isOpen = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() === undefined
    const all = () => [...made.map(({ job, ...one }) => ({ ...one, name: `call ${job.id}` })), ...others]
    for (let i = 0; i < 300 && all().some(({ fiber }) => isOpen(fiber)); i++) {
      yield* faults.freeze(false)
      yield* TestClock.adjust("2 seconds")
      yield* yields(20)
    }
    for (const other of all()) checkEnd(other)
    const isHonest = (id: number) => {
      const runs = board.starts.filter(([name]) => name === `${id}`)
      return liars.size === 0 || (runs.length > 0 && runs.every(([, runner]) => !liars.has(runner)))
    }
    for (const one of made) {
      if (isHonest(one.job.id)) check(one, board.order.filter((name) => name === `${one.job.id}`).length)
    }
    // Failing boots end too, casts and leases get their turn, and surplus runners go idle.
    const min = closes ? 0 : setup.min!
    let status = yield* pool.status
    for (let i = 0; i < 300 && (i < 20 || runners.now !== min || status.waiting + status.busySlots > 0); i++) {
      yield* TestClock.adjust("2 seconds")
      yield* yields(20)
      status = yield* pool.status
    }
    assert.deepInclude(status, { waiting: 0, busySlots: 0, leases: 0, booting: 0, draining: 0, ready: min })
    assert.strictEqual(nested(), 0, "nested entries that are left")
    readers.check(world.events, closes)
    assert.strictEqual(runners.now, min)
    assert.isAtMost(runners.peak, most)
    if (liars.size === 0) assert.isAtMost(board.busiest, widest)
    assert.deepStrictEqual([...board.running], [])
    for (const id of casts) {
      if (isHonest(id)) assert.isAtMost(board.order.filter((name) => name === `${id}`).length, 1)
    }
  })

const yields = (times: number) => Effect.repeat(Effect.yieldNow, { times })

/** Checks that work has ended, and by nothing but its function, its pool, its caller or foreign code. */
const checkEnd = ({ fiber, interrupted, name }: Omit<Other, "job">): void => {
  const exit = fiber.pollUnsafe()
  if (exit === undefined) return assert.fail(`${name} never ended`)
  if (Exit.isSuccess(exit)) return
  const [reason] = exit.cause.reasons
  if (reason?._tag === "Interrupt") return assert.isTrue(interrupted, `${name} looks interrupted`)
  const error = reason?._tag === "Fail" ? reason.error : reason?.defect
  const isKnown =
    error instanceof Refusal || error instanceof FlameError || error instanceof RemoteDefect || isThrown(error)
  assert.isTrue(isKnown, `${name} ended by ${String(exit.cause)}`)
}

/** Checks that the result of a call fits what ran of the call. */
const check = ({ fiber, idempotent, interrupted, job }: Made, runs: number): void => {
  const exit = fiber.pollUnsafe()
  const name = `call ${job.id} (${job.ends})`
  if (exit === undefined) return assert.fail(`${name} never ended`)
  if (!idempotent) assert.isAtMost(runs, 1, `${name} ran more than once`)
  if (Exit.isSuccess(exit)) {
    assert.strictEqual(exit.value.id, job.id, `${name} got another call's value`)
    assert.isAtLeast(runs, 1)
    assert.strictEqual(job.trouble, "")
    return assert.include(["well", "late"], job.ends)
  }
  const [reason] = exit.cause.reasons
  // The true error arrives: the one that foreign code has thrown.
  if (reason?._tag === "Die" && isThrown(reason.defect)) return
  if (reason?._tag === "Interrupt") return assert.isTrue(interrupted, `${name} looks interrupted`)
  if (reason?._tag === "Die") {
    assert.instanceOf(reason.defect, RemoteDefect, name)
    assert.isTrue(String(reason.defect).endsWith(`: ${job.id}`))
    return assert.strictEqual(job.ends, "dead")
  }
  const error = reason?.error
  if (error instanceof Refusal) {
    assert.strictEqual(error.why, `${job.id}`)
    return assert.strictEqual(job.ends, "badly")
  }
  if (!(error instanceof FlameError)) return assert.fail(`${name} failed with ${String(error)}`)
  const why = error.reason
  assert.include(["TimedOut", "RunnerLost", "QueueFull", "BootFailed", "PoolClosed"], why._tag, why.message)
  if (why._tag === "RunnerLost" && why.attempts !== undefined) assert.isAtMost(why.attempts, 3, why.message)
  if (idempotent) return
  if (why._tag === "RunnerLost" && why.mayHaveRun) return
  if (why._tag === "TimedOut" && why.phase === "running") return
  assert.strictEqual(runs, 0, `${name} ran, though ${why.message}`)
}
