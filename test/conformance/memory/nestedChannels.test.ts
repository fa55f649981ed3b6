/** Tests in memory of streams and placed services inside of functions, through the pools of their parent. */
import { assert, beforeAll, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Flame from "../../../src/Flame.ts"
import * as FlameRunner from "../../../src/FlameRunner.ts"
import type { FlameError } from "../../../src/error/FlameError.ts"
import type { Pool } from "../../../src/pool/Pool.ts"
import { Board, Refusal, twice } from "./functions.ts"
import { finish, only, pass, poolTest, reason, settle, start, started, until, value } from "./harness.ts"

// Loaded when a function first needs them, which takes real time.
beforeAll(async () => {
  await Promise.all([
    import("../../../src/runner/NestedChannels.ts"),
    import("../../../src/function/GroupClient.ts"),
    import("../../../src/call/peer/ServiceEnd.ts")
  ])
})

class Elsewhere extends Flame.PoolService<Elsewhere>()("test/Elsewhere") {}

const onBoard = <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) =>
  Effect.flatMap(Board, (board) => board.run(name, effect))
const latch = (name: string) => Effect.flatMap(Board, (board) => board.latch(name).await)

/** Emits 0 to `to`, one item in each chunk, and counts the items made. */
let made = 0
const counting = Flame.fn(
  "counting",
  {
    payload: { name: Schema.String, to: Schema.Int, size: Schema.Int },
    success: Schema.String,
    error: Refusal,
    stream: true
  },
  ({ name, size, to }) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const board = yield* Board
        const { id } = yield* FlameRunner.Current
        board.starts.push([name, id])
        board.running.set(name, id)
        yield* Effect.addFinalizer((exit) =>
          Effect.sync(() => {
            board.running.delete(name)
            if (Exit.isFailure(exit)) board.interrupted.push(name)
          })
        )
        return Stream.range(0, to).pipe(
          Stream.rechunk(1),
          Stream.map((n) => {
            made++
            return `${n}`.padStart(size)
          }),
          Stream.concat(
            name.startsWith("fails")
              ? Stream.fail(new Refusal({ why: "no more" }))
              : name.startsWith("waits")
                ? Stream.never
                : Stream.empty
          )
        )
      })
    )
)

const parts = { name: Schema.String, to: Schema.Int, size: Schema.Int }

/** Takes a stream, and returns the number of items and how the stream ended. */
const taking = Flame.fn(
  "taking",
  { payload: { ...parts, away: Schema.optionalKey(Schema.Boolean) }, success: Schema.String },
  ({ away, ...payload }) =>
    onBoard(
      `${payload.name}.taker`,
      Effect.gen(function* () {
        const count = yield* Ref.make(0)
        const end = yield* Effect.exit(
          Stream.runForEach(
            Flame.stream(counting, payload, away === true ? { pool: Elsewhere } : {}) as Stream.Stream<
              string,
              Refusal | FlameError,
              Pool
            >,
            (item) => Ref.updateAndGet(count, (n) => (Number(item) === n ? n + 1 : -1e9))
          )
        )
        const error = Exit.findErrorOption(end)
        const told =
          error._tag === "None" ? "" : error.value instanceof Refusal ? error.value.why : error.value.reason._tag
        return `${yield* Ref.get(count)} ${told}`
      })
    )
)

/** Takes that many items of a stream, and calls a function for each. */
const calling = Flame.fn(
  "calling",
  { payload: { ...parts, take: Schema.Int }, success: Schema.Int },
  ({ take, ...payload }) =>
    Flame.stream(counting, payload).pipe(
      Stream.take(take),
      Stream.mapEffect((item) => Flame.call(twice, { n: Number(item) })),
      Stream.runFold(
        () => 0,
        (sum, n) => sum + n
      ),
      Effect.orDie
    )
)

/** Takes one item, and then waits. */
const dozing = Flame.fn("dozing", { payload: parts }, (payload) =>
  Stream.runForEach(Flame.stream(counting, payload), () => onBoard(`${payload.name}.taker`, Effect.never)).pipe(
    Effect.orDie
  )
)

class Words extends RpcGroup.make(
  Rpc.make("add", { payload: { word: Schema.String }, success: Schema.Int }),
  Rpc.make("all", { success: Schema.String, stream: true }),
  Rpc.make("finish")
) {}
class Spelling extends RpcGroup.make(Rpc.make("spell", { payload: { word: Schema.String }, success: Schema.String })) {}

const words = Flame.service(
  "words",
  { group: Words, offers: Spelling, payload: { name: Schema.String }, error: Refusal },
  ({ name }, { draining, end, owner }) =>
    Words.toLayer(
      Effect.gen(function* () {
        if (name === "refused") return yield* new Refusal({ why: "no words" })
        const board = yield* Board
        const { id } = yield* FlameRunner.Current
        const all: Array<string> = [yield* Effect.orDie(owner.spell({ word: "first" }))]
        board.starts.push([name, id])
        board.running.set(name, id)
        yield* Effect.forkScoped(
          Effect.andThen(
            draining,
            Effect.sync(() => board.open(`${name}.draining`))
          )
        )
        yield* Effect.addFinalizer(() => Effect.sync(() => board.running.delete(name)))
        return {
          add: ({ word }) =>
            Effect.map(Effect.orDie(owner.spell({ word })), (spelt) => {
              all.push(spelt)
              return all.length
            }),
          all: () => Stream.fromIterable(all),
          finish: () => end
        }
      })
    )
)

/** Places `words`, uses the service as `how` says, and returns the answers. */
const placing = Flame.fn(
  "placing",
  { payload: { name: Schema.String, how: Schema.String }, success: Schema.String },
  ({ how, name }) =>
    Effect.scoped(
      Effect.gen(function* () {
        const client = yield* Flame.place(words, { name })
        yield* client.add({ word: "a" })
        yield* client.add({ word: "b" })
        if (how === "calls") yield* Flame.call(twice, { n: 1 })
        if (how === "waits") yield* onBoard(`${name}.taker`, latch(`${name}.taker`))
        if (how === "ends") {
          yield* client.finish()
          yield* Flame.ended(client)
          return (yield* Effect.orDie(Effect.flip(client.add({ word: "c" })))).reason._tag
        }
        return [...(yield* Stream.runCollect(client.all()))].join(" ")
      })
    ).pipe(
      Effect.catchTag("test/Refusal", ({ why }) => Effect.succeed(`refused: ${why}`)),
      Effect.catchTag("FlameError", ({ reason }) => Effect.succeed(reason._tag)),
      Effect.provide(Spelling.toLayer({ spell: ({ word }) => Effect.succeed(word.toUpperCase()) }))
    )
)

const serve = [counting, taking, calling, dozing, words, placing, twice]

describe("a stream inside of a function", () => {
  poolTest("[C353] passes through the parent, on the slot of its caller", { serve, max: 1 }, function* ({ events }) {
    assert.strictEqual(yield* value(yield* start(Flame.call(taking, { name: "a", to: 9_999, size: 100 }))), "10000 ")
    assert.lengthOf(only(events, "RunnerReady"), 1)
  })

  poolTest("[C353] emits the items before its error, which keeps its class", { serve, max: 1 }, function* () {
    const taken = yield* start(Flame.call(taking, { name: "fails", to: 99, size: 10 }))
    assert.strictEqual(yield* value(taken), "100 no more")
  })

  poolTest(
    "[C354] does not deadlock when its caller makes a call for each item, and no slot is free",
    { serve, max: 1 },
    function* ({ pool }) {
      const sum = yield* start(Flame.call(calling, { name: "a", to: 999, size: 1_000, take: 10_000 }))
      assert.strictEqual(yield* value(sum), 999_000)
      assert.deepInclude(yield* pool.status, { busySlots: 0, suspended: 0 })
    }
  )

  poolTest("[C355] ends when its caller takes no more items", { serve, max: 1 }, function* ({ board, pool }) {
    const sum = yield* start(Flame.call(calling, { name: "waits", to: 999, size: 1_000, take: 3 }))
    assert.strictEqual(yield* value(sum), 6)
    assert.deepStrictEqual([...board.running.keys()], [])
    yield* settle
    assert.deepInclude((yield* pool.status).totals, { succeeded: 5, failed: 0, interrupted: 0 })
  })

  poolTest("[C356] holds its function back while its caller takes nothing", { serve, max: 2 }, function* () {
    made = 0
    const taken = yield* start(Flame.call(dozing, { name: "a", to: 99_999, size: 1_000 }))
    yield* started("a.taker")
    yield* pass("1 minute")
    // Windows of 128 KiB in both directions, 64 KiB in the parent, and the batches that are encoded at a time.
    assert.isBelow(made, 500)
    yield* Fiber.interrupt(taken)
  })

  poolTest("[C357] ends together with its caller", { serve, max: 2 }, function* ({ board, pool }) {
    const taken = yield* start(Flame.call(dozing, { name: "waits", to: 0, size: 1 }))
    yield* started("waits.taker")
    yield* Fiber.interrupt(taken)
    assert.deepStrictEqual([...board.running.keys()], [])
    assert.deepInclude(yield* pool.status, { busySlots: 0, suspended: 0 })
  })

  poolTest("[C357] ends when the runner of its caller ends", { serve, max: 2 }, function* ({ board, faults }) {
    const taken = yield* start(Flame.call(dozing, { name: "waits", to: 0, size: 1 }))
    const runner = yield* started("waits.taker")
    yield* faults.lose({ id: runner })
    assert.strictEqual((yield* reason(taken))._tag, "RunnerLost")
    yield* until(() => board.running.size === 0, "the stream has ended")
  })

  poolTest(
    "[C358] fails with RunnerLost after the items that have arrived when its own runner is lost",
    { serve, max: 1, most: 2 },
    function* ({ board, faults }) {
      yield* Layer.build(Elsewhere.layer({ max: 1 }))
      const taken = yield* start(Flame.call(taking, { name: "waits", to: 9, size: 1, away: true }))
      const server = yield* until(() => board.running.get("waits"), "the stream has begun")
      assert.notStrictEqual(server, board.running.get("waits.taker"))
      yield* settle
      yield* faults.lose({ id: server })
      assert.strictEqual(yield* value(taken), "10 RunnerLost")
    }
  )

  poolTest("[C359] has the rest of its caller's budget", { serve, max: 1 }, function* ({ board }) {
    const taken = yield* start(Flame.call(taking, { name: "waits", to: 9, size: 1 }, { timeout: "5 seconds" }))
    yield* until(() => board.running.get("waits"), "the stream has begun")
    yield* pass("6 seconds")
    assert.strictEqual((yield* reason(taken))._tag, "TimedOut")
    assert.deepStrictEqual([...board.running.keys()], [])
  })

  poolTest("[C359] is a span below its caller's", { serve, max: 1, tracer: true }, function* ({ spans }) {
    yield* value(yield* start(Flame.call(taking, { name: "a", to: 9, size: 1 })))
    yield* settle
    const stream = spans.find((_) => _.name === "Flame.stream")
    assert.strictEqual(stream?.attributes.get("flame.function"), "counting")
    const parent = stream?.parent
    assert.strictEqual(parent?._tag === "Some" && parent.value._tag === "Span" ? parent.value.name : "", "taking.run")
    const inner = spans.find((_) => _.name === "counting.run")
    const outer = inner?.parent
    assert.strictEqual(outer?._tag === "Some" ? outer.value.spanId : "", stream?.spanId)
  })
})

describe("a placed service whose runner is terminated from outside", () => {
  poolTest("hears that its runner drains [C542]", { serve, max: 1, most: 2 }, function* ({ board, faults }) {
    yield* Flame.place(words, { name: "a" }).pipe(
      Effect.provide(Spelling.toLayer({ spell: ({ word }) => Effect.succeed(word) }))
    )
    yield* faults.terminate(board.running.get("a"))
    yield* latch("a.draining")
    assert.isTrue(board.running.has("a"))
  })
})

describe("a placed service inside of a function", () => {
  const place = (name: string, how: string) => start(Flame.call(placing, { name, how }))

  poolTest("[C360] answers, calls its owner, and ends with its Scope", { serve, max: 1 }, function* ({ board, pool }) {
    assert.strictEqual(yield* value(yield* place("a", "")), "FIRST A B")
    assert.deepStrictEqual([...board.running.keys()], [])
    assert.deepInclude(yield* pool.status, { busySlots: 0, suspended: 0 })
  })

  poolTest("[C354] lends its slot to other nested calls of its owner", { serve, max: 1 }, function* () {
    assert.strictEqual(yield* value(yield* place("a", "calls")), "FIRST A B")
  })

  poolTest("[C360] reports to its function that it has ended by itself", { serve, max: 1 }, function* () {
    assert.strictEqual(yield* value(yield* place("a", "ends")), "ServiceEnded")
  })

  poolTest("[C360] that fails to build fails with its error", { serve, max: 1 }, function* () {
    assert.strictEqual(yield* value(yield* place("refused", "")), "refused: no words")
  })

  poolTest("[C357] ends together with its function", { serve, max: 1 }, function* ({ board }) {
    const call = yield* place("a", "waits")
    yield* started("a.taker")
    yield* Fiber.interrupt(call)
    assert.deepStrictEqual([...board.running.keys()], [])
  })

  poolTest(
    "[C357] ends when the runner of its function ends",
    { serve, max: 2, spare: 1 },
    function* ({ board, faults }) {
      const call = yield* place("a", "waits")
      const runner = yield* started("a.taker")
      yield* faults.lose({ id: runner })
      assert.strictEqual((yield* reason(call))._tag, "RunnerLost")
      yield* until(() => board.running.size === 0, "the service has ended")
    }
  )

  poolTest("[C360] outlives the timeout of its placing", { serve, max: 1, timeout: "1 minute" }, function* () {
    const call = yield* start(Flame.call(placing, { name: "a", how: "waits" }, { timeout: Infinity }))
    yield* started("a.taker")
    yield* pass("10 minutes")
    yield* finish("a.taker")
    assert.strictEqual(yield* value(call), "FIRST A B")
  })

  poolTest("[C360] is told that its runner must leave", { serve, max: 1 }, function* ({ board, pool }) {
    const call = yield* place("a", "waits")
    yield* started("a.taker")
    const closing = yield* Effect.forkDetach(pool.drain, { startImmediately: true })
    yield* until(() => board.latch("a.draining").isOpen, "the service is told")
    yield* finish("a.taker")
    assert.strictEqual(yield* value(call), "FIRST A B")
    yield* Fiber.join(closing)
  })
})
