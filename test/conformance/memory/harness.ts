/**
 * Runs one test on one pool in memory: functions report on a board and wait there until the test lets them go. Checks
 * that nothing is left when the pool has closed. No test of this folder waits in real time.
 */
import { assert, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import { fromInputUnsafe, toMillis } from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as TestClock from "effect/testing/TestClock"
import type { Backend } from "../../../src/backend/Backend.ts"
import * as MemoryBackend from "../../../src/backend/MemoryBackend.ts"
import * as Flame from "../../../src/Flame.ts"
import type { Implemented } from "../../../src/function/FlameFunction.ts"
import type { AnyGroup } from "../../../src/function/Servable.ts"
import { FlameError, type Reason } from "../../../src/error/FlameError.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import type { PoolEvent } from "../../../src/pool/status/PoolEvent.ts"
import type { PoolOptions } from "../../../src/pool/option/PoolOptions.ts"
import type { PoolShape } from "../../../src/pool/runtime/PoolShape.ts"
import type { Kind } from "../../../src/wire/Frame.ts"
import * as PoolRegistry from "../../../src/pool/engine/PoolRegistry.ts"
import { checkEngine, checkEvents, checkSpans, checkTotals } from "./ending.ts"
import { Board, type BoardState, functions, work } from "./functions.ts"
import { countingSleeps, recording, type Tally, watched } from "./watching.ts"

export { MemoryRunners } from "../../../src/backend/MemoryBackend.ts"

/** The world of one test: its pool, and what can be observed from outside. */
export interface World {
  readonly pool: PoolShape
  readonly board: BoardState
  readonly faults: MemoryBackend.MemoryRunners["Service"]
  readonly events: ReadonlyArray<PoolEvent>
  /** Log lines, each behind its level. */
  readonly logs: ReadonlyArray<string>
  /** Every span, if a tracer is installed. */
  readonly spans: ReadonlyArray<Tracer.Span>
  /** Runners that exist at the backend now, and the largest number that ever did. */
  readonly runners: Tally
  /** Runs `then` at the moment when the pool writes a frame of a kind to a connection. */
  readonly onFrame: (kind: Kind, then: () => void) => void
  /** Delivers bytes to the pool as if that runner had sent them. */
  readonly inject: (runner: string, bytes: Uint8Array) => void
  /** Closes the pool, as the end of the test does. Ends when the pool has closed. */
  readonly close: Effect.Effect<void>
}

type Needs = Pool | Board | Backend | MemoryBackend.MemoryRunners | Scope.Scope

/** Runs everything that needs no time to pass. */
export const settle: Effect.Effect<void> = Effect.repeat(Effect.yieldNow, { times: 60 })

/** Waits for a condition that needs no time to pass. Fails with `what` if the condition does not hold then. */
export const until = <A>(condition: () => A, what: string): Effect.Effect<NonNullable<Exclude<A, false>>> =>
  Effect.gen(function* () {
    for (let turn = 0; turn < 2_000; turn++) {
      const value = condition()
      if (value !== false && value !== undefined && value !== null) return value as NonNullable<Exclude<A, false>>
      yield* Effect.yieldNow
    }
    return assert.fail(`it never came that ${what}`)
  })

/** Advances the clock in small steps, so that work begun in between starts at its own time. */
export const pass = (duration: Duration.Input): Effect.Effect<void> =>
  Effect.gen(function* () {
    const steps = 25
    const millis = toMillis(fromInputUnsafe(duration))
    yield* settle
    for (let step = 1; step <= steps; step++) {
      const from = Math.floor((millis * (step - 1)) / steps)
      const to = Math.floor((millis * step) / steps)
      if (to === from) continue
      yield* TestClock.adjust(to - from)
      yield* settle
    }
  })

/** Forks an effect. The end of the test interrupts it. */
export const start = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.Fiber<A, E>, never, R | Scope.Scope> => Effect.forkScoped(effect, { startImmediately: true })

/** Starts a call of `work`, and waits until the function runs. */
export const long = (
  name: string,
  options: { readonly timeout?: Duration.Input } = {}
): Effect.Effect<Fiber.Fiber<string, FlameError>, never, Needs> =>
  Effect.gen(function* () {
    const fiber = yield* start(Flame.call(work, { name }, options))
    yield* started(name)
    return fiber
  })

/** Starts calls of `work` in one turn, before the pool can have served any of them. */
export const burst = (
  ...names: ReadonlyArray<string>
): Effect.Effect<Array<Fiber.Fiber<string, FlameError>>, never, Needs> =>
  Effect.tap(
    Effect.forEach(names, (name) => start(Flame.call(work, { name }))),
    () => settle
  )

/** Starts a call of `work` without waiting for its function. */
export const waiting = (
  name: string,
  options: { readonly timeout?: Duration.Input } = {}
): Effect.Effect<Fiber.Fiber<string, FlameError>, never, Needs> =>
  Effect.tap(start(Flame.call(work, { name }, options)), () => settle)

/** Waits until the function with this name runs. Returns the runner's id. */
export const started = (name: string): Effect.Effect<string, never, Board> =>
  Effect.flatMap(Board, (board) => until(() => board.running.get(name), `${name} runs`))

/** Lets calls of `work` go, and returns their results. */
export const finish = (
  ...calls: ReadonlyArray<Fiber.Fiber<string, FlameError> | string>
): Effect.Effect<void, never, Board> =>
  Effect.flatMap(Board, (board) =>
    Effect.sync(() => {
      for (const call of calls) if (typeof call === "string") board.open(call)
    }).pipe(Effect.andThen(settle))
  )

/** The reason of a call that has failed. Fails if the call is still open. */
export const reason = <A>(fiber: Fiber.Fiber<A, FlameError>): Effect.Effect<Reason> =>
  Effect.gen(function* () {
    yield* settle
    const exit = fiber.pollUnsafe()
    if (exit === undefined) return assert.fail("the call has not ended")
    const error = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
    if (error?._tag !== "Fail" || !(error.error instanceof FlameError))
      return assert.fail(`it did not fail with a FlameError but ended as ${JSON.stringify(exit)}`)
    return error.error.reason
  })

/** The result of a call that has ended. Fails if the call is still open. */
export const value = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<A> =>
  Effect.gen(function* () {
    yield* settle
    const exit = fiber.pollUnsafe()
    if (exit === undefined || Exit.isFailure(exit)) return assert.fail(`it did not succeed: ${String(exit)}`)
    return exit.value
  })

/** Fails if the call has ended. */
export const isOpen = (fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<void> =>
  Effect.andThen(
    settle,
    Effect.sync(() => assert.isUndefined(fiber.pollUnsafe(), "the call has ended"))
  )

/** The events with these tags. */
export const only = <T extends PoolEvent["_tag"]>(
  events: ReadonlyArray<PoolEvent>,
  ...tags: ReadonlyArray<T>
): Array<Extract<PoolEvent, { _tag: T }>> =>
  events.filter((event): event is Extract<PoolEvent, { _tag: T }> =>
    (tags as ReadonlyArray<string>).includes(event._tag)
  )

/** Options of a test's pool and of its world. */
export interface Setup extends PoolOptions<never> {
  /** Functions that runners serve instead of `functions.ts`. */
  readonly serve?: ReadonlyArray<Implemented<Board> | AnyGroup>
  /** The handlers of the groups that runners serve. */
  readonly handlers?: Layer.Layer<never, never, Board>
  /** The build that runners report. */
  readonly build?: string
  /** Runs before the pool is built. */
  readonly before?: (faults: MemoryBackend.MemoryRunners["Service"]) => Effect.Effect<void>
  /** `FLAME_*` variables of the environment. */
  readonly config?: Readonly<Record<string, string>>
  /** Whether a tracer is installed. Default false. */
  readonly tracer?: boolean
  /** Called before each work of the tracer and the logger, in whose place it may throw. */
  readonly foreign?: (by: string) => void
  /** Whether the backend never learns that a runner ended, nor how. Default false. */
  readonly untold?: boolean
  /** The largest number of runners that may exist, if that is not the initial `max`. */
  readonly most?: number
  /** The time that the pool may need to close. Default: none. */
  readonly closesWithin?: Duration.Input
}

/** A test of a pool. The title starts with the row's number, if there is one. */
export const poolTest = (
  name: string,
  setup: Setup,
  body: (world: World) => Generator<Effect.Effect<unknown, unknown, Needs>, void, never>
): void => it.effect(name, () => withPool(setup, (world) => Effect.gen(() => body(world))))

/** Runs a test with its pool, and checks that nothing is left. */
export const withPool = <E>(
  setup: Setup,
  body: (world: World) => Effect.Effect<void, E, Needs>
): Effect.Effect<void, E | FlameError, Scope.Scope> =>
  countingSleeps((sleepers) =>
    Effect.gen(function* () {
      const { before, build, closesWithin, config, foreign, handlers, most, serve, tracer, untold, ...options } = setup
      const logs: Array<string> = []
      const spans: Array<Tracer.Span> = []
      const ends = new Map<Tracer.Span, number>()
      const runners: Tally = { now: 0, peak: 0 }
      const hooks = new Map<number, () => void>()
      const injections = new Map<string, (bytes: Uint8Array) => void>()
      const backend = watched(
        runners,
        hooks,
        injections,
        untold === true,
        MemoryBackend.layer<Board>({ functions: serve ?? functions, ...(build === undefined ? {} : { build }) })
      )
      const surroundings = Layer.mergeAll(
        Board.layer,
        Logger.layer([
          Logger.make(({ cause, logLevel, message }) => {
            logs.push(`${logLevel} ${String(message)} ${Cause.pretty(cause)}`)
            foreign?.("logger")
          })
        ]),
        ConfigProvider.layer(ConfigProvider.fromUnknown(config ?? {})),
        tracer === true ? Layer.succeed(Tracer.Tracer, recording(spans, ends, foreign)) : Layer.empty
      )
      const served = handlers === undefined ? surroundings : Layer.provideMerge(handlers, surroundings)
      const scope = yield* Scope.make()
      const early = yield* Layer.buildWithScope(Layer.fresh(Layer.provideMerge(backend, served)), scope)
      const faults = Context.get(early, MemoryBackend.MemoryRunners)
      if (before !== undefined) yield* before(faults)
      const built = yield* Layer.buildWithScope(
        Layer.provide(Layer.fresh(Pool.layer(options)), Layer.succeedContext(early)),
        scope
      )
      const pool = Context.get(built, Pool)
      const board = Context.get(early, Board)
      const engine = PoolRegistry.find(Pool.key, undefined, {})?.engine
      const events: Array<PoolEvent> = []
      yield* start(Stream.runForEach(pool.events, (event) => Effect.sync(() => events.push(event))))
      const close = Effect.asVoid(Effect.exit(Scope.close(scope, Exit.void)))
      const world: World = {
        pool,
        board,
        faults,
        events,
        logs,
        spans,
        runners,
        close,
        onFrame: (kind, then) => hooks.set(kind, then),
        inject: (runner, bytes) => injections.get(runner)?.(bytes)
      }
      const services = Context.merge(early, built)
      yield* Effect.provideContext(Effect.scoped(body(world)), services)
      const { leases, waiting } = yield* pool.status
      assert.deepStrictEqual({ waiting, leases }, { waiting: 0, leases: 0 }, "nothing waits")
      const closing = yield* Effect.forkDetach(close, { startImmediately: true })
      yield* settle
      if (closesWithin !== undefined) yield* pass(closesWithin)
      if (closing.pollUnsafe() === undefined)
        assert.fail(`the pool does not close: ${JSON.stringify(yield* pool.status)}`)
      yield* settle
      assert.deepStrictEqual(yield* faults.list, [], "no runner is left")
      assert.strictEqual(runners.now, 0, "no runner is left at the backend")
      assert.deepStrictEqual([...board.running.keys()], [], "no function runs any more")
      const after = yield* pool.status
      assert.strictEqual(after.state, "closed")
      assert.deepStrictEqual(after.runners, [])
      assert.isAtMost(runners.peak, most ?? options.max ?? 10, "max was exceeded")
      assert.deepStrictEqual([...sleepers.values()], [], "nobody waits for time to pass")
      checkTotals(after.totals)
      checkSpans(spans, ends)
      checkEngine(engine)
      checkEvents(events)
    })
  )
