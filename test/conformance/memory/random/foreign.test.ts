/** Foreign code that throws in each place, once: the call concerned gets the error, and nothing else is harmed. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Flame from "../../../../src/Flame.ts"
import { Pool } from "../../../../src/pool/Pool.ts"
import * as PoolRegistry from "../../../../src/pool/engine/PoolRegistry.ts"
import { RemoteDefect } from "../../../../src/error/FlameError.ts"
import { Kind } from "../../../../src/wire/Frame.ts"
import { Link } from "../../../../src/wire/Link.ts"
import { twice } from "../functions.ts"
import { only, pass, type Setup, start, withPool, type World } from "../harness.ts"
import { collectingUncaught, Thrown } from "./Chaos.ts"
import { countingNested } from "./NestedEntries.ts"

/** Calls a function, and returns its result or the text of its defect. */
const outer = Flame.fn("outer", { payload: { n: Schema.Int }, success: Schema.String }, ({ n }) =>
  Effect.map(Effect.exit(Flame.call(twice, { n })), (exit) =>
    Exit.isSuccess(exit) ? `${exit.value}` : String(Cause.squash(exit.cause))
  )
)

/** Runs an effect in which the sending of the `nth` frame of a kind throws. */
const sendThrows = <A, E, R>(kind: number, nth: number, effect: Effect.Effect<A, E, R>) => {
  const { send } = Link.prototype
  let left = nth
  return Effect.acquireUseRelease(
    Effect.sync(() => {
      Link.prototype.send = function (...args) {
        if (args[0] === kind && --left === 0) throw new Thrown("link.send")
        return send.apply(this, args)
      }
    }),
    () => effect,
    () =>
      Effect.sync(() => {
        Link.prototype.send = send
      })
  )
}

/** A test whose body also gets the number of entries and bytes that are held for nested calls. */
const foreignTest = (
  name: string,
  setup: Setup,
  body: (world: World, nested: () => number) => Effect.Effect<void, unknown, never>
) => it.effect(name, () => countingNested((nested) => withPool(setup, (world) => body(world, nested) as never)))

const setup: Setup = { min: 1, max: 1, concurrency: 2, serve: [outer, twice] }
const nestedCall = Flame.call(outer, { n: 2 }) as Effect.Effect<string>

describe("a nested call", () => {
  foreignTest("whose sending throws dies of the error, and leaves no entry on its runner [C401]", setup, (_, nested) =>
    Effect.gen(function* () {
      assert.match(yield* sendThrows(Kind.Nested, 1, nestedCall), /thrown by link\.send/)
      assert.strictEqual(nested(), 0)
      assert.strictEqual(yield* nestedCall, "4")
    })
  )

  foreignTest("that its parent cannot send on dies of the error [C401]", setup, (_, nested) =>
    Effect.gen(function* () {
      // The first Request is that of `outer`.
      assert.match(yield* sendThrows(Kind.Request, 2, nestedCall), /thrown by link\.send/)
      assert.strictEqual(nested(), 0)
      assert.strictEqual(yield* nestedCall, "4")
    })
  )

  foreignTest("whose answer its parent cannot send dies of the error [C401]", setup, (_, nested) =>
    Effect.gen(function* () {
      // The first Success is that of `twice` to the parent.
      assert.match(yield* sendThrows(Kind.Success, 2, nestedCall), /thrown by link\.send/)
      assert.strictEqual(nested(), 0)
      assert.strictEqual(yield* nestedCall, "4")
    })
  )
})

describe("a call", () => {
  foreignTest(
    "whose sending throws dies of the error, and its slot is free again [C401]",
    setup,
    () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(sendThrows(Kind.Request, 1, Flame.call(twice, { n: 1 })))
        assert.match(Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "", /thrown by link\.send/)
        const engine = PoolRegistry.find(Pool.key, undefined, {})?.engine
        const inFlight = [...(engine?.runners.values() ?? [])].map(({ handle }) => handle?.inFlight)
        assert.deepStrictEqual(inFlight, [0])
        assert.strictEqual(yield* nestedCall, "4")
      }) as Effect.Effect<void>
  )

  foreignTest(
    "whose result cannot be sent dies of the error [C401]",
    setup,
    () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(sendThrows(Kind.Success, 1, Flame.call(twice, { n: 1 })))
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        assert.instanceOf(defect, RemoteDefect)
        assert.match(String(defect), /thrown by link\.send/)
        assert.strictEqual(yield* nestedCall, "4")
      }) as Effect.Effect<void>
  )
})

describe("a logger that throws", () => {
  let isBroken = true
  const foreign = (by: string) => {
    if (isBroken && by === "logger") throw new Thrown(by)
  }

  foreignTest(
    "costs no boot, no report of a loss and no event; its error is uncaught [C402]",
    { ...setup, foreign, log: "Info" },
    ({ events, faults }) =>
      collectingUncaught((uncaught) =>
        Effect.gen(function* () {
          yield* pass("1 second")
          yield* faults.lose()
          yield* pass("1 minute")
          const call = yield* start(Flame.call(twice, { n: 1 }))
          yield* pass("1 second")
          assert.deepStrictEqual(call.pollUnsafe(), Exit.succeed(2))
          assert.lengthOf(only(events, "RunnerGone"), 1)
          assert.lengthOf(only(events, "RunnerReady"), 2)
          isBroken = false
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(() => setImmediate(resolve))))
          assert.isAtLeast(uncaught.length, 3)
          assert.deepStrictEqual(new Set(uncaught.map(String)), new Set(["Thrown: thrown by logger"]))
        })
      ) as Effect.Effect<void>
  )
})

describe("a beforeBoot that never ends, and cannot be interrupted", () => {
  const stuck: Setup = {
    max: 1,
    serve: [twice],
    beforeBoot: () => Effect.uninterruptible(Effect.never),
    bootTimeout: "3 seconds",
    cancelGrace: "1 second",
    closesWithin: "3 seconds"
  }

  foreignTest(
    "makes its boot fail after bootTimeout, and its pool closes [C403]",
    stuck,
    ({ events }) =>
      Effect.gen(function* () {
        const call = yield* start(Flame.call(twice, { n: 1 }, { timeout: "5 seconds" }))
        yield* pass("4 seconds")
        assert.deepStrictEqual(
          only(events, "BootFailed").map(({ cause }) => cause._tag),
          ["NeverConnected"]
        )
        yield* pass("2 seconds")
        const exit = call.pollUnsafe()
        assert.isTrue(exit !== undefined && Exit.isFailure(exit))
      }) as Effect.Effect<void>
  )
})
