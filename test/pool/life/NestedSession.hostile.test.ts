/** Tests of a runner that breaks the rules: it loses its session, and costs its parent nothing else. */
import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Flame from "../../../src/Flame.ts"
import type { AnyFunction } from "../../../src/function/FlameFunction.ts"
import * as Refusal from "../../../src/call/Refusal.ts"
import * as FlameErrorCodec from "../../../src/function/FlameErrorCodec.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import type { PoolOptions } from "../../../src/pool/option/PoolOptions.ts"
import * as PoolRegistry from "../../../src/pool/engine/PoolRegistry.ts"
import { Kind } from "../../../src/wire/Frame.ts"
import * as NestedHead from "../../../src/wire/NestedHead.ts"
import { frame } from "../../wire/kit.ts"
import { until as comes } from "../../wire/network/sockets.ts"
import { mostUnread, NestedToll } from "../../../src/pool/life/NestedToll.ts"
import { HostileRunner, layer } from "./HostileRunner.ts"

const bytes = Flame.fn("bytes", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, (value) =>
  Effect.succeed(value)
)
const functions: ReadonlyArray<AnyFunction> = [bytes]
const small = new Uint8Array(1)
const KiB = 1024

const until = (condition: () => boolean) => Effect.promise(() => comes(condition))

/** Runs a test in which one call has been sent to the hostile runner. */
const hostile = (
  name: string,
  test: (runner: HostileRunner, first: number) => Effect.Effect<void>,
  options: PoolOptions<never> = {}
) =>
  it.live(name, () =>
    Effect.gen(function* () {
      const runner = new HostileRunner()
      const program = Effect.gen(function* () {
        const call = yield* Effect.forkChild(Effect.exit(Flame.call(bytes, small)), { startImmediately: true })
        yield* until(() => runner.of(Kind.Request).length > 0)
        yield* test(runner, runner.of(Kind.Request)[0]!.id)
        yield* Fiber.interrupt(call)
      })
      yield* Effect.provide(program, Layer.fresh(layer(runner, functions, options)))
    })
  )

/** Runs an effect with a smaller limit of the bytes that a parent holds for a runner. */
const holding = (bytes: number, effect: () => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { mostHeld } = NestedHead.limits
    NestedHead.limits.mostHeld = bytes
    return Effect.ensuring(
      effect(),
      Effect.sync(() => (NestedHead.limits.mostHeld = mostHeld))
    )
  })

const reasonOf = (runner: HostileRunner, id: number) => {
  const [refused] = runner.of(Kind.Refused, id)
  return refused === undefined ? undefined : FlameErrorCodec.decode(refused.body).reason
}

describe("a hostile runner", () => {
  for (const body of ["no json", `{"why":"PayloadTooLarge","size":{"toString":1,"valueOf":1}}`]) {
    it.live(`that refuses a call with a body that cannot be read fails that call: ${body}`, () =>
      Effect.gen(function* () {
        const runner = new HostileRunner()
        yield* Effect.gen(function* () {
          const call = yield* Effect.forkChild(Effect.flip(Flame.call(bytes, small)), { startImmediately: true })
          yield* until(() => runner.of(Kind.Request).length > 0)
          runner.say(Kind.Refused, runner.of(Kind.Request)[0]!.id, Buffer.from(body))
          assert.include(["PayloadTooLarge", "InvalidPayload"], (yield* Fiber.join(call)).reason._tag)
          assert.isFalse(runner.isClosed)
        }).pipe(Effect.provide(Layer.fresh(layer(runner, functions, {}))))
      })
    )
  }

  hostile("loses its session by one more open call than a call may have", (runner) =>
    Effect.gen(function* () {
      for (let id = 1; id <= NestedHead.maxOpenOfCall; id++) runner.call(id, bytes, small)
      runner.say(Kind.NestedCancel, 5)
      yield* until(() => runner.of(Kind.Interrupted, 5).length === 1)
      runner.call(5, bytes, small)
      yield* Effect.sleep(0)
      assert.isFalse(runner.isClosed)
      runner.call(5_000, bytes, small)
      yield* until(() => runner.isClosed)
    })
  )

  hostile("loses its session by announcing more payloads than it may have under way", (runner) =>
    Effect.gen(function* () {
      const limit = NestedHead.limits.mostHeld
      runner.announce(1, bytes, limit - 1)
      // One more value of any size, and none beside it.
      runner.announce(2, bytes, limit)
      yield* Effect.sleep(0)
      assert.isFalse(runner.isClosed)
      runner.announce(3, bytes, 40 * KiB)
      yield* until(() => runner.isClosed)
    })
  )

  hostile("loses its session by one small call under the id of a large one, which would count for nobody", (runner) =>
    Effect.gen(function* () {
      runner.announce(1, bytes, 100 * KiB)
      runner.call(1, bytes, small)
      yield* until(() => runner.isClosed)
    })
  )

  hostile("is refused casts beyond the bytes that its parent holds for it, until some are over", (runner) =>
    holding(60 * KiB, () =>
      Effect.gen(function* () {
        for (let id = 1; id <= 6; id++) runner.call(id, bytes, new Uint8Array(20 * KiB), { cast: true })
        yield* until(() => runner.of(Kind.Success, 3).length === 1 && runner.of(Kind.Refused).length === 3)
        for (const id of [4, 5, 6]) assert.strictEqual(reasonOf(runner, id)?._tag, "PayloadTooLarge")
        // One more slot for the casts: the slot of the call around them.
        runner.answer(runner.of(Kind.Request)[0]!.id, small)
        yield* until(() => runner.of(Kind.Request).length === 2)
        assert.isFalse(runner.isClosed)
      })
    )
  )

  hostile("is not charged for the nested calls of a caller that its parent has ended [C247]", (runner, first) =>
    Effect.gen(function* () {
      const charge = vi.spyOn(NestedToll.prototype, "charge")
      for (let id = 1; id <= 20; id++) runner.call(id, bytes, small)
      yield* until(() => runner.of(Kind.Request).length === 2)
      runner.answer(first, small)
      yield* until(() => runner.of(Kind.Interrupted).length === 19)
      runner.say(Kind.NestedCancel, 1)
      yield* Effect.sleep(0)
      assert.strictEqual(charge.mock.calls.length, 0)
      runner.say(Kind.NestedCancel, 1)
      yield* until(() => charge.mock.calls.length === 1)
      charge.mockRestore()
    })
  )

  hostile("is asked once for the end of a call, however often it gives it up", (runner) =>
    Effect.gen(function* () {
      runner.call(1, bytes, small)
      yield* until(() => runner.of(Kind.Request).length === 2)
      const { engine } = PoolRegistry.find(Pool.key, undefined, {})!
      const interrupt = vi.spyOn(engine, "interrupt")
      for (let i = 0; i < 100; i++) runner.say(Kind.NestedCancel, 1)
      yield* until(() => runner.of(Kind.Cancel).length === 1)
      assert.strictEqual(interrupt.mock.calls.length, 1)
      runner.say(Kind.Interrupted, runner.of(Kind.Cancel)[0]!.id)
      yield* until(() => runner.of(Kind.Interrupted, 1).length === 1)
    })
  )

  hostile("is refused large results beyond the bytes that its parent holds for it", (runner, first) =>
    holding(3_500 * KiB, () =>
      Effect.gen(function* () {
        for (let id = 1; id <= 8; id++) {
          runner.call(id, bytes, small)
          yield* until(() => runner.of(Kind.Request).length === 2)
          const request = runner.of(Kind.Request).find((request) => request.id !== first)!
          runner.frames.splice(runner.frames.indexOf(request), 1)
          runner.answer(request.id, new Uint8Array(1024 * KiB))
          yield* until(() => runner.of(Kind.OpenResponse, id).length + runner.of(Kind.Refused, id).length === 1)
          const reason = reasonOf(runner, id)
          // An eighth of each is sent without credit.
          if (id <= 4) assert.isUndefined(reason)
          else assert.isTrue(reason?._tag === "PayloadTooLarge" && reason.direction === "result")
        }
      })
    )
  )

  hostile("that leaves its answers in its connection is not read [C206]", (runner) =>
    Effect.gen(function* () {
      runner.buffered = mostUnread + 1
      runner.call(1, bytes, small, { name: "nowhere" })
      runner.call(2, bytes, small, { name: "nowhere" })
      yield* until(() => runner.of(Kind.Refused, 1).length === 1)
      for (let i = 0; i < 5; i++) yield* Effect.sleep(10)
      assert.strictEqual(runner.of(Kind.Refused, 2).length, 0)
      runner.buffered = 0
      yield* until(() => runner.of(Kind.Refused, 2).length === 1)
      assert.isFalse(runner.isClosed)
    })
  )

  for (const name of ["a\u001b[2K\rb", "a\u2028b", "a\u202eb", "x".repeat(2_000)]) {
    hostile(`loses its session by a name that could spoil a log: ${JSON.stringify(name).slice(0, 20)}`, (runner) =>
      Effect.gen(function* () {
        runner.call(1, bytes, small, { name })
        yield* until(() => runner.isClosed)
      })
    )
  }

  hostile("loses its session by a defect as large as a result may be", (runner, first) =>
    Effect.gen(function* () {
      const body = Buffer.alloc(9)
      body.writeDoubleBE(1024 * KiB, 0)
      body[8] = Kind.Defect
      runner.say(Kind.OpenResponse, first, body)
      yield* until(() => runner.isClosed)
    })
  )
})

describe("nested calls of one runner", () => {
  /** Answers the Request after `known` others, and waits until the nested call is answered. */
  const answered = (runner: HostileRunner, known: number) =>
    Effect.gen(function* () {
      yield* until(() => runner.of(Kind.Request).length > known)
      runner.say(Kind.Success, runner.of(Kind.Request)[known]!.id, small)
    })

  hostile(
    "give back their bytes as they end, so any number of them may follow each other [C137]",
    (runner) =>
      holding(4 * KiB, () =>
        Effect.gen(function* () {
          // Three times the payloads that may be in flight.
          for (let id = 1; id <= 12; id++) {
            runner.call(id, bytes, new Uint8Array(KiB))
            yield* answered(runner, id)
            yield* until(() => runner.of(Kind.Success, id).length === 1)
          }
          assert.isFalse(runner.isClosed)
        })
      ),
    { maxPayload: KiB }
  )

  hostile(
    "give back the bytes of their casts as they end [C137]",
    (runner) =>
      holding(4 * KiB, () =>
        Effect.gen(function* () {
          for (let id = 1; id <= 12; id++) {
            runner.call(id, bytes, new Uint8Array(KiB), { cast: true })
            yield* until(() => runner.of(Kind.Success, id).length + runner.of(Kind.Refused, id).length === 1)
            assert.strictEqual(runner.of(Kind.Refused, id).length, 0)
            yield* answered(runner, id)
          }
          assert.isFalse(runner.isClosed)
        })
      ),
    { maxPayload: KiB, concurrency: 2 }
  )

  hostile("end with their caller, although the runner does not cancel them [C137]", (runner, first) =>
    Effect.gen(function* () {
      runner.call(1, bytes, small)
      yield* until(() => runner.of(Kind.Request).length === 2)
      const nested = runner.of(Kind.Request)[1]!.id
      runner.say(Kind.Success, first, small)
      yield* until(() => runner.of(Kind.Cancel, nested).length === 1)
    })
  )
})

it.live("that drains right after its handshake gets no second call, however often it refuses the first [C139]", () =>
  Effect.gen(function* () {
    const runner = new HostileRunner()
    runner.afterHello = Buffer.from(frame(Kind.Draining, 0, new Uint8Array(0)))
    yield* Effect.gen(function* () {
      const call = yield* Effect.forkChild(Flame.call(bytes, small), { startImmediately: true })
      yield* until(() => runner.of(Kind.Welcome).length > 0)
      for (let turn = 0; turn < 20; turn++) {
        const asked = runner.of(Kind.Request)
        assert.isAtMost(asked.length, 1)
        if (turn === 5) for (const { id } of asked) runner.say(Kind.Refused, id, Refusal.encodeDraining())
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
      yield* Fiber.interrupt(call)
    }).pipe(Effect.provide(Layer.fresh(layer(runner, functions, {}))))
  })
)
