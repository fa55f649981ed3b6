import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Rpc, RpcGroup } from "effect/rpc"
import { Backend, Flame, FlameError, FlameLayer, FlameRunner, Pool, Runner } from "../src/index.ts"
import { MemoryBackend, MemoryRunners } from "../src/testing/index.ts"

class TooLong extends Schema.TaggedError<TooLong>()("TooLong", { seconds: Schema.Int }) {}
class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}

const frame = Flame.contract("frame", {
  payload: { video: Schema.String, at: Schema.Int },
  success: Schema.Uint8Array,
  error: TooLong
})
const train = Flame.contract("train", { success: Schema.String, pool: Gpu })
const count = Flame.contract("count", {
  payload: { to: Schema.Int },
  success: Schema.Int,
  error: TooLong,
  stream: true
})
const Sums = RpcGroup.make(Rpc.make("add", { payload: { a: Schema.Int, b: Schema.Int }, success: Schema.Int }))
class Words extends RpcGroup.make(Rpc.make("count", { payload: { word: Schema.String }, success: Schema.Int })) {}
const index = Flame.service("index", { group: Words, payload: { path: Schema.String }, pool: Gpu })

const full = new FlameError.FlameError({
  reason: new FlameError.QueueFull({ pool: Pool.key, function: "frame", waiting: 1, capacity: 1 })
})

const callFrame = Flame.call(frame, { video: "a.mp4", at: 3 })

describe("FlameLayer.mock", () => {
  it.effect("[C227] returns the result of a stub to the caller: a value, a typed error, a FlameError", () =>
    Effect.gen(function* () {
      const by = (code: Parameters<typeof stubOf>[0]) => Effect.provide(callFrame, FlameLayer.mock([stubOf(code)]))
      const stubOf = (code: () => Effect.Effect<Uint8Array, TooLong | FlameError.FlameError>) => Flame.stub(frame, code)
      assert.deepStrictEqual(yield* by(() => Effect.succeed(new Uint8Array([1, 2]))), new Uint8Array([1, 2]))
      assert.deepStrictEqual(
        yield* Effect.flip(by(() => Effect.fail(new TooLong({ seconds: 9 })))),
        new TooLong({ seconds: 9 })
      )
      assert.deepStrictEqual(yield* Effect.flip(by(() => Effect.fail(full))), full)
    })
  )

  it.effect("[C227] provides the pool that a stub's function names", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Flame.call(train), "a model")
      assert.strictEqual((yield* (yield* Gpu).status).totals.succeeded, 1)
    }).pipe(Effect.provide(FlameLayer.mock([Flame.stub(train, () => Effect.succeed("a model"))])))
  )

  it.effect("[C227] emits the items of a stubbed stream, then fails as the stub does", () => {
    const taken = (stream: Stream.Stream<number, TooLong | FlameError.FlameError>) =>
      Effect.gen(function* () {
        const seen: Array<number> = []
        const exit = yield* Flame.stream(count, { to: 3 }).pipe(
          Stream.runForEach((n) => Effect.sync(() => void seen.push(n))),
          Effect.result
        )
        return { seen, error: exit._tag === "Failure" ? exit.failure : undefined }
      }).pipe(Effect.provide(FlameLayer.mock([Flame.stub(count, () => stream)])))
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* taken(Stream.make(1, 2, 3)), { seen: [1, 2, 3], error: undefined })
      const failing = Stream.concat(Stream.make(1), Stream.fail(full))
      assert.deepStrictEqual(yield* taken(failing), { seen: [1], error: full })
    })
  })

  it.effect("[C227] replaces a group and a placed service", () =>
    Effect.gen(function* () {
      const sums = yield* Flame.client(Sums)
      assert.strictEqual(yield* sums.add({ a: 1, b: 2 }), 42)
      const words = yield* Flame.place(index, { path: "x" })
      assert.strictEqual(yield* words.count({ word: "a" }), 7)
    }).pipe(
      Effect.scoped,
      Effect.provide(
        FlameLayer.mock([
          Sums,
          Flame.implementService(index, () => Words.toLayer({ count: () => Effect.succeed(7) }))
        ]).pipe(Layer.provide(Sums.toLayer({ add: () => Effect.succeed(42) })))
      )
    )
  )

  it.effect("[C227] leases a runner to withRunner, under the clock of the test", () =>
    Effect.gen(function* () {
      const calling = yield* Effect.forkChild(
        Gpu.withRunner(
          Effect.andThen(
            Flame.call(train),
            Effect.map(Runner, ({ pool }) => pool)
          )
        )
      )
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* Fiber.join(calling), "app/Gpu")
    }).pipe(Effect.provide(FlameLayer.mock([Flame.stub(train, () => Effect.as(Effect.sleep("1 hour"), "a model"))])))
  )

  it.effect("[C227] refuses a value that a runner could not send, and a call without a stub", () =>
    Effect.gen(function* () {
      const wrong = yield* Effect.exit(callFrame)
      assert.include(String(wrong), "RemoteDefect")
      const { reason } = yield* Effect.flip(Flame.call(train, undefined, { pool: Pool }))
      assert.strictEqual(reason._tag, "FunctionMissing")
    }).pipe(Effect.provide(FlameLayer.mock([Flame.stub(frame, () => Effect.succeed("not bytes" as never))])))
  )
})

describe("a service that a user implements", () => {
  it.effect("[C228] Runner and Current are provided without casts", () =>
    Effect.gen(function* () {
      const { id } = yield* Runner
      const { function: fn, remaining } = yield* FlameRunner.Current
      assert.deepStrictEqual([id, fn, remaining], ["r1", "frame", 5])
      // A lease without a pool: calls may run anywhere.
      assert.strictEqual((yield* callFrame).length, 1)
    }).pipe(
      Effect.provide([
        Layer.succeed(Runner, { id: "r1", pool: "p", labels: {} }),
        Layer.succeed(FlameRunner.Current, { id: "r1", pool: "p", parent: "x", function: "frame", remaining: 5 }),
        FlameLayer.mock([Flame.stub(frame, () => Effect.succeed(new Uint8Array(1)))])
      ])
    )
  )

  it.effect("[C228] a backend in memory is decorated in a few lines", () => {
    const launched: Array<string> = []
    const Counting = Layer.effect(
      Backend,
      Effect.map(Backend, (backend) => ({
        ...backend,
        launch: (spec) =>
          Effect.andThen(
            Effect.sync(() => launched.push(spec.pool)),
            backend.launch(spec)
          )
      }))
    )
    const functions = [Flame.implement(frame, () => Effect.succeed(new Uint8Array(3)))]
    return Effect.gen(function* () {
      assert.strictEqual((yield* callFrame).length, 3)
      assert.deepStrictEqual(launched, [Pool.key])
      assert.strictEqual(yield* (yield* MemoryRunners).launched, 1)
    }).pipe(
      Effect.provide(
        Pool.layer({ max: 1 }).pipe(Layer.provide(Counting), Layer.provideMerge(MemoryBackend.layer({ functions })))
      )
    )
  })
})

describe("Flame.CurrentRole", () => {
  const role = Flame.fn("role", { success: Schema.Array(Schema.String) }, () =>
    Effect.map(Flame.CurrentRole, (role) => (role._tag === "Runner" ? [role._tag, role.pool] : [role._tag]))
  )

  it.effect("[C229] is Parent in the test, and Runner inside a function that runs in memory", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(Flame.role, { _tag: "Parent" })
      assert.strictEqual(yield* Flame.CurrentRole, Flame.role)
      assert.deepStrictEqual(yield* Flame.call(role), ["Runner", Pool.key])
    }).pipe(Effect.provide(FlameLayer.test([role])))
  )
})

describe("FlameLayer.auto", () => {
  /** The error of the layer with these variables of the environment. */
  const failure = (variables: Readonly<Record<string, string>>) =>
    Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
          Object.assign(process.env, variables)
          return before
        }),
        (before) =>
          Effect.sync(() => {
            for (const [name, value] of before) {
              if (value === undefined) delete process.env[name]
              else process.env[name] = value
            }
          })
      )
      return (yield* Effect.flip(Layer.build(FlameLayer.auto()))).message
    })

  it.live("[C273] has pods outside of a cluster too where FLAME_BACKEND says so, and refuses another word", () =>
    Effect.gen(function* () {
      assert.match(yield* failure({ FLAME_BACKEND: "moon" }), /FLAME_BACKEND is moon: set it to kubernetes or local/)
      assert.match(
        yield* failure({ FLAME_BACKEND: "kubernetes", KUBECONFIG: "/nowhere/config" }),
        /Kubernetes API server: KUBECONFIG.*\/nowhere\/config/
      )
    })
  )
})
