import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { MemoryRunners } from "../../../src/backend/MemoryBackend.ts"
import { LaunchFailed } from "../../../src/error/BootFailure.ts"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import * as Pools from "../../../src/pool/runtime/Pools.ts"
import * as Recorder from "../../../src/status/record/Recorder.ts"
import { limits, others, type PoolDocument, StatusDocument } from "../../../src/status/record/StatusDocument.ts"

const secret = "the-secret-of-a-caller"

class Refused extends Schema.TaggedError<Refused>()("Refused", { why: Schema.String }) {}

const nap = Flame.fn("nap", { payload: { millis: Schema.Int, note: Schema.String } }, ({ millis }) =>
  Effect.sleep(millis)
)
const refuse = Flame.fn("refuse", { error: Refused }, () => Effect.fail(new Refused({ why: "closed today" })))
const die = Flame.fn("die", {}, () => Effect.die(new Error("a bug")))
const inner = Flame.fn("inner", {}, () => Effect.sleep("1 hour"))
const outer = Flame.fn("outer", {}, () => Effect.orDie(Flame.call(inner)))
const say = Flame.fn("say", {}, () => Effect.logWarning("hello", { n: 1 }))

const functions = [nap, refuse, die, inner, outer, say] as const

const document = Effect.map(Recorder.acquire, (recorder) => () => recorder.document({ actions: false, hasCalls: true }))

const onPool = <A, E>(
  options: FlameLayer.LocalOptions,
  body: (pool: () => PoolDocument, recorder: Recorder.Recorder) => Effect.Effect<A, E, any>
) =>
  Effect.gen(function* () {
    const recorder = yield* Recorder.acquire
    const read = yield* document
    return yield* body(() => read().pools[0]!, recorder)
  }).pipe(Effect.provide(FlameLayer.test(functions, { drainTimeout: 0, ...options })), Effect.scoped) as Effect.Effect<
    A,
    E
  >

/** Runs the turns in which frames of a memory runner arrive. */
const turns = Effect.promise(() => new Promise<void>((resolve) => void setImmediate(() => setImmediate(resolve))))

describe("the status of a pool", () => {
  it.effect("has its runners with their running calls: function, start, budget, state [C300]", () =>
    onPool({ max: 1, concurrency: 3 }, (pool) =>
      Effect.gen(function* () {
        yield* Effect.forkChild(Flame.call(nap, { millis: 60_000, note: secret }, { timeout: "10 seconds" }), {
          startImmediately: true
        })
        yield* Effect.forkChild(Flame.call(outer), { startImmediately: true })
        yield* turns
        yield* TestClock.adjust("2 seconds")
        yield* turns
        const [runner] = pool().runners
        assert.deepInclude(runner, { state: "ready", calls: 2, suspended: 1 })
        const calls = runner!.running.map(({ budget, function: name, since, state }) => ({
          name,
          since,
          budget,
          state
        }))
        assert.sameDeepMembers(calls, [
          { name: "nap", since: 2_000, budget: 8_000, state: "running" },
          { name: "outer", since: 2_000, budget: undefined, state: "suspended" },
          { name: "inner", since: 2_000, budget: undefined, state: "running" }
        ])
        assert.deepInclude(
          pool().functions.find(({ name }) => name === "nap"),
          { calls: 0, running: 1 }
        )
      })
    )
  )

  it.effect(
    "counts calls by function with errors and percentiles, and keeps the last failures with their causes [C300]",
    () =>
      onPool({ max: 1, concurrency: 4 }, (pool) =>
        Effect.gen(function* () {
          for (const millis of [10, 10, 1_000]) {
            const call = yield* Effect.forkChild(Flame.call(nap, { millis, note: secret }), { startImmediately: true })
            yield* turns
            yield* TestClock.adjust(millis)
            yield* Fiber.join(call)
          }
          yield* Effect.exit(Flame.call(refuse))
          yield* Effect.exit(Flame.call(refuse))
          yield* Effect.exit(Flame.call(die))
          const { calls, failures, functions } = pool()
          const figures = functions.find(({ name }) => name === "nap")
          assert.deepInclude(figures, { calls: 3, failed: 0, interrupted: 0, running: 0, max: 1_000 })
          assert.approximately(figures!.p50!, 10, 1)
          assert.approximately(figures!.p99!, 1_000, 100)
          assert.deepInclude(
            functions.find(({ name }) => name === "refuse"),
            { calls: 2, failed: 2 }
          )
          assert.deepInclude(
            failures.find(({ function: name }) => name === "refuse"),
            { kind: "call", tag: "Refused", count: 2 }
          )
          const bug = failures.find(({ function: name }) => name === "die")
          assert.strictEqual(bug?.tag, "RemoteDefect")
          assert.match(bug!.message, /a bug/)
          const slow = calls.find(({ total }) => total >= 1_000)
          assert.deepInclude(slow, { function: "nap", outcome: "succeeded", queued: 0, ran: 1_000, carried: 0 })
        })
      )
  )

  it.effect("has each boot with its steps, and failed boots with their causes [C300]", () =>
    onPool({ max: 1 }, (pool) =>
      Effect.gen(function* () {
        const runners = yield* MemoryRunners
        yield* runners.failBoots(new LaunchFailed({ detail: "no such image" }))
        const call = yield* Effect.forkChild(Flame.call(nap, { millis: 0, note: secret }), { startImmediately: true })
        yield* turns
        yield* TestClock.adjust("10 seconds")
        yield* Fiber.join(call)
        const [ready, failed] = pool().boots
        assert.deepInclude(failed, { outcome: "failed" })
        assert.match(failed!.failure!, /no such image/)
        assert.strictEqual(ready!.outcome, "ready")
        assert.deepStrictEqual(
          ready!.steps.map(([step]) => step),
          ["launched", "started", "connected", "ready"]
        )
        assert.deepInclude(pool().failures[0], { kind: "boot", tag: "LaunchFailed", count: 1 })
        yield* runners.lose()
        yield* turns
        yield* TestClock.adjust("1 second")
        assert.deepInclude(pool().failures[0], { kind: "lost", tag: "Killed" })
      })
    )
  )

  it.effect("keeps a figure for each second of the last five minutes [C301]", () =>
    onPool({ max: 1 }, (pool) =>
      Effect.gen(function* () {
        yield* Effect.forkChild(Flame.call(inner), { startImmediately: true })
        yield* Effect.forkChild(Flame.call(inner), { startImmediately: true })
        yield* turns
        yield* TestClock.adjust("3 seconds")
        assert.deepStrictEqual(pool().history, {
          every: 1_000,
          waiting: [1, 1, 1],
          busy: [1, 1, 1],
          runners: [1, 1, 1],
          ended: [0, 0, 0],
          failed: [0, 0, 0]
        })
        yield* TestClock.adjust("10 minutes")
        assert.lengthOf(pool().history.waiting, limits.history)
        yield* Effect.exit(Flame.call(refuse, undefined, { timeout: 1 })).pipe(
          Effect.forkChild({ startImmediately: true })
        )
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual([pool().history.ended.at(-1), pool().history.failed.at(-1)], [1, 1])
      })
    )
  )

  it.effect("stays within its limits, whatever functions are called and however they fail [C301]", () =>
    Effect.gen(function* () {
      const many = Array.from({ length: limits.functions + 30 }, (_, n) =>
        Flame.fn(`fn${n}`, {}, () => Effect.die(new Error("x".repeat(5_000))))
      )
      yield* Effect.gen(function* () {
        const read = yield* document
        yield* Effect.forEach(many, (fn) => Effect.exit(Flame.call(fn)), { concurrency: 10, discard: true })
        const [pool] = read().pools
        assert.lengthOf(pool!.functions, limits.functions + 1)
        assert.deepInclude(
          pool!.functions.find(({ name }) => name === others),
          { calls: 30, failed: 30 }
        )
        assert.lengthOf(pool!.failures, limits.failures)
        assert.isAtMost(Math.max(...pool!.failures.map(({ message }) => message.length)), limits.message)
        assert.isAtMost(pool!.calls.length, limits.calls)
      }).pipe(Effect.provide(FlameLayer.test(many, { max: 2, concurrency: 10 })), Effect.scoped)
    })
  )

  it.effect("matches its schema, and contains no payload, result or header [C300]", () =>
    Effect.gen(function* () {
      const read = yield* document
      yield* Effect.forkChild(Flame.call(nap, { millis: 60_000, note: secret }), { startImmediately: true })
      yield* Effect.exit(Flame.call(refuse))
      yield* turns
      yield* TestClock.adjust("1 second")
      const text = JSON.stringify(read())
      assert.notInclude(text, secret)
      const decoded = Schema.decodeUnknownSync(StatusDocument)(JSON.parse(text))
      assert.strictEqual(decoded.version, 1)
      assert.lengthOf(decoded.pools, 1)
      assert.isAbove(Object.keys(Schema.toJsonSchemaDocument(StatusDocument).schema).length, 0)
    }).pipe(Effect.provide(FlameLayer.test(functions, { max: 2, concurrency: 3, drainTimeout: 0 })), Effect.scoped)
  )

  it.effect("keeps the log lines of runners [C316]", () =>
    onPool({ max: 1 }, (_, recorder) =>
      Effect.gen(function* () {
        yield* Flame.call(say)
        yield* turns
        const [line] = recorder.lines
        assert.deepInclude(line, {
          level: "Warn",
          pool: "effect-flame/Pool",
          function: "say",
          message: 'hello {"n":1}'
        })
      })
    )
  )
})

describe("a pool", () => {
  it.effect("is not watched and records nothing without a layer, before and after one [C302]", () =>
    Effect.gen(function* () {
      const watches = () => Pools.own().map(({ engine }) => engine.watch !== undefined)
      assert.deepStrictEqual(watches(), [false])
      yield* Effect.scoped(
        Effect.gen(function* () {
          const first = yield* Recorder.acquire
          assert.deepStrictEqual(watches(), [true])
          yield* Effect.scoped(Effect.map(Recorder.acquire, (second) => assert.strictEqual(second, first)))
          assert.deepStrictEqual(watches(), [true])
        })
      )
      assert.deepStrictEqual(watches(), [false])
      yield* Flame.call(say)
      const read = yield* document
      assert.deepStrictEqual(read().pools[0]?.functions, [])
    }).pipe(Effect.provide(FlameLayer.test(functions)), Effect.scoped)
  )

  it.effect("that is built later is watched too, and one that existed before has its runners [C302]", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const pools = Effect.gen(function* () {
          yield* Flame.call(say)
          const read = yield* document
          return read().pools.map(({ boots }) => boots.map(({ outcome }) => outcome))
        }).pipe(Effect.provide(FlameLayer.test(functions)))
        assert.deepStrictEqual(yield* Effect.scoped(pools), [["ready"]])
        yield* Recorder.acquire
        assert.deepStrictEqual(yield* Effect.scoped(pools), [["ready"]])
      })
    )
  )
})

describe("Pools.all", () => {
  it.effect("returns the open pools of the process, in the order in which they were built [C314]", () =>
    Effect.gen(function* () {
      class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}
      const ids = Effect.map(Pools.all, (pools) => pools.map(({ id }) => id))
      assert.deepStrictEqual(yield* ids, [])
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* ids, ["effect-flame/Pool", "app/Gpu"])
        const [first] = yield* Pools.all
        yield* first!.resize({ max: 7 })
        assert.deepInclude(yield* first!.status, { max: 7, pool: "effect-flame/Pool" })
      }).pipe(Effect.provide(Layer.provideMerge(Gpu.layer(), FlameLayer.test(functions))), Effect.scoped)
      assert.deepStrictEqual(yield* ids, [])
    })
  )
})
