import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { FlameError } from "../../src/error/FlameError.ts"

const sum = Flame.fn("sum", { payload: Schema.Uint8Array, success: Schema.Number }, (bytes) =>
  Effect.succeed(bytes.reduce((a, b) => a + b, 0))
)

const seen: Array<number> = []
const note = Flame.fn("note", { payload: Schema.Uint8Array }, (bytes) =>
  Effect.delay(
    Effect.sync(() => void seen.push(bytes[0]!)),
    "1 millis"
  )
)

/** The gate of a function: it runs until the gate is open. */
const gate = { open: (): void => {}, wait: new Promise<void>(() => {}) }
const hold = Flame.fn("hold", {}, () => Effect.promise(() => gate.wait))

/** Memory that the functions keep using after they have returned a view of it. */
const scratch = new Uint8Array(200_000)
const spoil = Effect.sync(() => scratch.fill(9))
const view = Flame.fn("view", { payload: { size: Schema.Int }, success: Schema.Uint8Array }, ({ size }) =>
  Effect.suspend(() => {
    scratch.fill(1)
    // Runs after the function has returned its result.
    queueMicrotask(() => Effect.runSync(spoil))
    return Effect.succeed(scratch.subarray(0, size))
  })
)
const nested = Flame.fn(
  "nested",
  { payload: { size: Schema.Int }, success: Schema.Struct({ all: Schema.Array(Schema.Uint8Array) }) },
  ({ size }) =>
    Effect.sync(() => {
      scratch.fill(1)
      queueMicrotask(() => Effect.runSync(spoil))
      return { all: [scratch.subarray(0, size)] }
    })
)
const views = Flame.fn(
  "views",
  { payload: { size: Schema.Int }, success: Schema.Uint8Array, stream: true },
  ({ size }) =>
    Stream.mapEffect(Stream.range(1, 5), (n) =>
      Effect.sync(() => {
        scratch.fill(n)
        return scratch.subarray(0, size)
      })
    )
)

const big = Flame.fn(
  "big",
  { payload: { texts: Schema.Array(Schema.String) }, success: Schema.Array(Schema.Number), maxValue: 10_000 },
  ({ texts }) => Effect.succeed(Array.from({ length: texts.length }, (_, i) => i).concat(Array(1_000).fill(0)))
)

const layer = Layer.orDie(FlameLayer.test([sum, hold, note, view, nested, views, big], { max: 1 }))
const isAll = (bytes: Uint8Array, value: number) => bytes.every((byte) => byte === value)

/** Detaches the memory of bytes, as a transfer to another thread does. */
const detach = (bytes: Uint8Array) => void structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] })

const reasonOf = (exit: Exit.Exit<unknown, unknown>) => {
  const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
  return reason?._tag === "Fail" && reason.error instanceof FlameError ? reason.error.reason : undefined
}

it.layer(layer, { excludeTestServices: true })("bytes", (it) => {
  describe("of a call", () => {
    it.effect.each([16, 20_000, 40_000, 5_000_000])(
      "that are detached before they are sent, %i of them, fail that call alone with InvalidPayload [C185]",
      (size) =>
        Effect.gen(function* () {
          yield* Flame.call(sum, new Uint8Array(1))
          const bytes = new Uint8Array(size).fill(1)
          const taken = yield* Effect.forkChild(Effect.exit(Flame.call(sum, bytes)))
          const beside = yield* Effect.forkChild(Effect.exit(Flame.call(sum, new Uint8Array(size).fill(1))))
          yield* Effect.yieldNow
          detach(bytes)
          const exit = yield* Fiber.join(taken)
          // Bytes that were sent before are a value like any other.
          if (Exit.isSuccess(exit)) assert.strictEqual(exit.value, size)
          else {
            const reason = reasonOf(exit)
            assert.strictEqual(reason?._tag, "InvalidPayload")
            assert.match(reason!.message, /the payload of sum .*its memory was detached/)
          }
          assert.deepStrictEqual(yield* Fiber.join(beside), Exit.succeed(size))
          assert.strictEqual(yield* Flame.call(sum, new Uint8Array([3])), 3)
        })
    )

    it.effect("that are detached while the call waits for a slot fail it with InvalidPayload [C185]", () =>
      Effect.gen(function* () {
        gate.wait = new Promise((resolve) => (gate.open = resolve))
        const busy = yield* Effect.forkChild(Flame.call(hold))
        yield* Effect.yieldNow
        const bytes = new Uint8Array(100)
        const waiting = yield* Effect.forkChild(Effect.exit(Flame.call(sum, bytes)))
        yield* Effect.yieldNow
        detach(bytes)
        gate.open()
        assert.strictEqual(reasonOf(yield* Fiber.join(waiting))?._tag, "InvalidPayload")
        yield* Fiber.join(busy)
      })
    )

    it.effect("that are already detached fail the call with InvalidPayload, inside other values too [C185]", () =>
      Effect.gen(function* () {
        const bytes = new Uint8Array(100)
        detach(bytes)
        assert.strictEqual(reasonOf(yield* Effect.exit(Flame.call(sum, bytes)))?._tag, "InvalidPayload")
      })
    )
  })

  it.effect("of a cast are copied at once, those of a Buffer too [C186]", () =>
    Effect.gen(function* () {
      seen.length = 0
      const buffer = Buffer.alloc(16)
      for (let i = 1; i <= 5; i++) {
        buffer[0] = i
        yield* Flame.cast(note, buffer)
      }
      while (seen.length < 5) yield* Effect.sleep("1 millis")
      assert.deepStrictEqual(seen, [1, 2, 3, 4, 5])
    })
  )

  it.effect.each([10, 10_000, 100_000])(
    "of a result that are a view of a larger buffer are copied before the function's next turn: %i of them [C181]",
    (size) =>
      Effect.gen(function* () {
        assert.isTrue(isAll(yield* Flame.call(view, { size }), 1))
        const { all } = yield* Flame.call(nested, { size })
        assert.isTrue(isAll(all[0]!, 1))
        const items = yield* Stream.runCollect(Flame.stream(views, { size }))
        assert.deepStrictEqual(
          Array.from(items, (item) => [item[0], isAll(item, item[0]!)]),
          [1, 2, 3, 4, 5].map((n) => [n, true])
        )
      })
  )

  it.effect("that arrive keep at most twice their own memory alive [C187]", () =>
    Effect.gen(function* () {
      const items = yield* Stream.runCollect(Flame.stream(views, { size: 10 }))
      const { all } = yield* Flame.call(nested, { size: 10 })
      for (const bytes of [...items, ...all, yield* Flame.call(view, { size: 10 })]) {
        assert.isAtMost(bytes.buffer.byteLength, 20)
      }
    })
  )

  it.effect("do not count towards maxValue, but other values do, and PayloadTooLarge names the option [C191]", () =>
    Effect.gen(function* () {
      const payload = reasonOf(yield* Effect.exit(Flame.call(big, { texts: ["x".repeat(20_000)] })))
      assert.strictEqual(payload?._tag, "PayloadTooLarge")
      assert.match(payload!.message, /the payload of big .*the limit is 10000: raise `maxValue` of the function/)
      const result = reasonOf(yield* Effect.exit(Flame.call(big, { texts: [] })))
      assert.strictEqual(result?._tag, "PayloadTooLarge")
      assert.match(result!.message, /the result of big .*raise `maxValue` of the function, give a stream of parts/)
    })
  )
})
