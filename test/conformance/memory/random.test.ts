import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { EntryMissing, LaunchFailed } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import { FlameError, RemoteDefect } from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import * as Random from "../../simulation/Random.ts"
import { Board, Refusal } from "./functions.ts"
import { type Setup, start, withPool, type World } from "./harness.ts"

/**
 * Schedules per run. More schedules find rarer faults: `FLAME_TEST_SEEDS=2000 npx vitest run
 * test/conformance/memory/random`.
 */
const seeds = Number(process.env["FLAME_TEST_SEEDS"] ?? 60)
const firstSeed = Number(process.env["FLAME_TEST_FIRST_SEED"] ?? 1)

const payload = { id: Schema.Int, millis: Schema.Int, ends: Schema.Literals(["well", "badly", "dead", "late"]) }
type Job = { readonly id: number; readonly millis: number; readonly ends: "well" | "badly" | "dead" | "late" }

const run = ({ ends, id, millis }: Job) =>
  Effect.flatMap(Board, (board) => {
    const work = Effect.andThen(
      Effect.sleep(millis),
      Effect.suspend((): Effect.Effect<number, Refusal> =>
        ends === "badly"
          ? Effect.fail(new Refusal({ why: `${id}` }))
          : ends === "dead"
            ? Effect.die(new Error(`${id}`))
            : Effect.succeed(id)
      )
    )
    // `late` takes a while when it is interrupted, but less than cancelGrace.
    return board.run(`${id}`, ends === "late" ? Effect.onInterrupt(work, () => Effect.sleep("700 millis")) : work)
  })

const once = Flame.fn("once", { payload, success: Schema.Int, error: Refusal }, run)
const thrice = Flame.fn("thrice", { payload, success: Schema.Int, error: Refusal, stream: true }, (job) =>
  Stream.flatMap(Stream.fromEffect(run(job)), (id) => Stream.make(id, id, id))
)
const often = Flame.fn("often", { payload, success: Schema.Int, error: Refusal, idempotent: true }, run)

interface Made {
  readonly job: Job
  readonly idempotent: boolean
  readonly fiber: Fiber.Fiber<number, Refusal | FlameError>
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
          assert.deepStrictEqual(new Set(uncaught.map(String)), new Set(thrown === 0 ? [] : [String(thrownByCallback)]))
          assert.lengthOf(uncaught, thrown)
        })
      ),
    600_000
  )
})

const thrownByCallback = new Error("headers already sent")

/** Runs an effect while uncaught exceptions are collected here instead of failing the test run. */
const collectingUncaught = <A, E, R>(
  use: (uncaught: ReadonlyArray<unknown>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const others = process.listeners("uncaughtException")
      const uncaught: Array<unknown> = []
      process.removeAllListeners("uncaughtException")
      process.on("uncaughtException", (error) => uncaught.push(error))
      return { others, uncaught }
    }),
    ({ uncaught }) => use(uncaught),
    ({ others }) =>
      Effect.sync(() => {
        process.removeAllListeners("uncaughtException")
        for (const listener of others) process.on("uncaughtException", listener)
      })
  )

const schedule = (seed: number) => {
  const random = Random.make(seed)
  const below = (n: number) => Math.floor(random() * n)
  const among = <A>(values: ReadonlyArray<A>): A => values[below(values.length)]!
  const max = 1 + below(4)
  const setup: Setup = {
    serve: [once, often, thrice],
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
  return Effect.as(
    withPool(setup, (world) => play(world, setup, below, among, thrown)),
    thrown
  ).pipe(Effect.map(({ count }) => count))
}

const play = (
  world: World,
  setup: Setup,
  below: (n: number) => number,
  among: <A>(values: ReadonlyArray<A>) => A,
  thrown: { count: number }
): Effect.Effect<void, never, Pool | Board | Scope.Scope> =>
  Effect.gen(function* () {
    const { faults, pool, board, runners } = world
    const context = yield* Effect.context<Pool>()
    const made: Array<Made> = []
    const casts: Array<number> = []
    const streams: Array<Fiber.Fiber<Exit.Exit<void, unknown>>> = []
    let ids = 0
    let most = setup.max!
    let widest = setup.concurrency!
    const job = (): Job => ({
      id: ids++,
      millis: among([0, 1, 10, 300, 2_500]),
      ends: among(["well", "well", "well", "badly", "dead", "late"])
    })
    const call = Effect.gen(function* () {
      const idempotent = below(4) === 0
      const one = job()
      const timeout = below(3) === 0 ? among([0, 50, 1_000, 2_000, 5_000]) : "Infinity"
      made.push({
        job: one,
        idempotent,
        interrupted: false,
        fiber: yield* start(Flame.call(idempotent ? often : once, one, { timeout }))
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
          const taken = Flame.stream(thrice, one, { timeout: among([50, 2_000, 20_000]) }).pipe(
            Stream.take(1 + below(4)),
            Stream.runForEach((id) => Effect.sync(() => assert.strictEqual(id, one.id)))
          )
          return Effect.tap(start(Effect.exit(taken)), (fiber) => Effect.sync(() => streams.push(fiber)))
        }
      ],
      [
        6,
        () =>
          // An observer of a caller's fiber that throws inside the frame of the pool that ends the call.
          Effect.sync(() => {
            const refused = Flame.call(once, job(), { timeout: among([50, 2_000, 20_000]) })
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
          return Effect.matchEffect(Flame.cast(once, one), {
            onFailure: () => Effect.void,
            onSuccess: () => Effect.sync(() => casts.push(one.id))
          })
        }
      ],
      [
        6,
        () => {
          const open = made.filter(({ fiber }) => fiber.pollUnsafe() === undefined)
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
    for (let i = 0; i < 120; i++) {
      yield* next()
      assert.isAtMost(runners.now, most, "runners that exist")
    }

    // From here on no fault is injected any more, and everything must end.
    yield* faults.freeze(false)
    yield* faults.delayBoots(0)
    yield* faults.muteBoots(false)
    const isOpen = (fiber: Fiber.Fiber<unknown, unknown>) => fiber.pollUnsafe() === undefined
    for (let i = 0; i < 300 && (made.some(({ fiber }) => isOpen(fiber)) || streams.some(isOpen)); i++) {
      yield* faults.freeze(false)
      yield* TestClock.adjust("2 seconds")
      yield* yields(20)
    }
    for (const stream of streams) {
      const exit = stream.pollUnsafe()
      if (exit === undefined) return assert.fail("a stream never ended")
      if (Exit.isSuccess(exit) && Exit.isFailure(exit.value)) {
        const [reason] = exit.value.cause.reasons
        const isKnown = reason?._tag === "Fail" || (reason?._tag === "Die" && reason.defect instanceof RemoteDefect)
        assert.isTrue(isKnown, `a stream ended by ${String(exit.value.cause)}`)
      }
    }
    for (const one of made) check(one, board.order.filter((name) => name === `${one.job.id}`).length)
    // Failing boots end too, casts and leases get their turn, and surplus runners go idle.
    let status = yield* pool.status
    for (let i = 0; i < 300 && (i < 20 || runners.now !== setup.min || status.waiting + status.busySlots > 0); i++) {
      yield* TestClock.adjust("2 seconds")
      yield* yields(20)
      status = yield* pool.status
    }
    assert.deepInclude(status, { waiting: 0, busySlots: 0, leases: 0, booting: 0, draining: 0, ready: setup.min! })
    assert.strictEqual(runners.now, setup.min!)
    assert.isAtMost(runners.peak, most)
    assert.isAtMost(board.busiest, widest)
    assert.deepStrictEqual([...board.running], [])
    for (const id of casts) assert.isAtMost(board.order.filter((name) => name === `${id}`).length, 1)
  })

const yields = (times: number) => Effect.repeat(Effect.yieldNow, { times })

/** Checks that the result of a call fits what ran of the call. */
const check = ({ fiber, idempotent, interrupted, job }: Made, runs: number): void => {
  const exit = fiber.pollUnsafe()
  const name = `call ${job.id} (${job.ends})`
  if (exit === undefined) return assert.fail(`${name} never ended`)
  if (!idempotent) assert.isAtMost(runs, 1, `${name} ran more than once`)
  if (Exit.isSuccess(exit)) {
    assert.strictEqual(exit.value, job.id, `${name} got another call's value`)
    assert.isAtLeast(runs, 1)
    return assert.include(["well", "late"], job.ends)
  }
  const [reason] = exit.cause.reasons
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
  assert.include(["TimedOut", "RunnerLost", "QueueFull", "BootFailed"], why._tag, why.message)
  if (why._tag === "RunnerLost" && why.attempts !== undefined) assert.isAtMost(why.attempts, 3, why.message)
  if (idempotent) return
  if (why._tag === "RunnerLost" && why.mayHaveRun) return
  if (why._tag === "TimedOut" && why.phase === "running") return
  assert.strictEqual(runs, 0, `${name} ran, though ${why.message}`)
}
