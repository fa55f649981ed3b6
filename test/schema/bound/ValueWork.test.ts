import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { makeSchemaCodec, type SchemaCodec } from "../../../src/schema/SchemaCodec.ts"
import { defaultMaxValue } from "../../../src/schema/bound/ValueLimits.ts"

const codecOf = (schema: Schema.Top, maxValue = defaultMaxValue) =>
  makeSchemaCodec(schema, { what: "the value", maxValue })

/** The gate that the text of `Waiting` waits for. */
let gate: Effect.Effect<unknown> = Effect.void
const wait = (text: string) => Effect.as(gate, text)
const Waiting = Schema.String.pipe(
  Schema.decodeTo(Schema.String, SchemaTransformation.transformEffect({ decode: wait, encode: wait }))
)
const Parted = Schema.TemplateLiteral([Schema.String, "-", Schema.String, "-", Schema.String, "!"])
const waiting = codecOf(Schema.Struct({ first: Waiting, parts: Schema.Array(Parted) }))
const asText = codecOf(Schema.Struct({ first: Schema.String, parts: Schema.Array(Schema.String) }))
const other = codecOf(Schema.Struct({ text: Schema.TemplateLiteral(["a", Schema.String]) }), 1_024)

const innocent = { first: "x", parts: ["a-b-c!", `${"-".repeat(40)}!`] }
const hostile = { first: "x", parts: Array.from({ length: 60 }, () => `${"-".repeat(400)}!`) }

type Value = typeof innocent
type Direction = (codec: SchemaCodec, value: Value) => Effect.Effect<unknown, unknown, unknown>
const directions: ReadonlyArray<readonly [string, Direction]> = [
  ["encoding", (codec, value) => codec.encodeEffect(value)],
  ["decoding", (codec, value) => codec.decodeEffect(asText.encode(value), true)]
]

/** Starts values that wait, runs `meanwhile`, and lets the values go on. */
const interleaved = (start: Direction, values: ReadonlyArray<Value>, meanwhile: () => void) =>
  Effect.gen(function* () {
    const opened = yield* Deferred.make<void>()
    gate = Deferred.await(opened)
    const fibers = yield* Effect.forEach(values, (value) =>
      Effect.forkChild(Effect.exit(Effect.suspend(() => start(waiting, value))), { startImmediately: true })
    )
    meanwhile()
    yield* Deferred.succeed(opened, undefined)
    return yield* Effect.forEach(fibers, Fiber.join)
  }) as Effect.Effect<Array<Exit.Exit<unknown, unknown>>>

const smallValue = (): void => {
  other.decode(other.encode({ text: "ab" }), true)
}

describe.each(directions)("%s a value whose schema waits", (_, start) => {
  it.effect("succeeds although a value of a smaller limit is sent and received meanwhile [C243]", () =>
    Effect.gen(function* () {
      const [exit] = yield* interleaved(start, [innocent], smallValue)
      assert.isTrue(Exit.isSuccess(exit!), String(exit))
    })
  )

  it.effect("is refused for its own work only, and others of its kind succeed [C243]", () =>
    Effect.gen(function* () {
      const exits = yield* interleaved(start, [innocent, hostile, innocent], smallValue)
      assert.deepStrictEqual(
        exits.map((exit) => exit._tag),
        ["Success", "Failure", "Success"]
      )
      assert.match(String(exits[1]), /too many ways/)
    })
  )
})

const parted = Schema.Struct({ first: Waiting, a: Parted, second: Waiting, b: Parted, third: Waiting, c: Parted })
/** Text that takes a bit less than half of the steps of `small`. */
const half = `${"-".repeat(80)}!`
const small = codecOf(parted, 450_000)

describe("the work of a value that waits several times", () => {
  const text = { first: "x", a: half, second: "x", b: half, third: "x", c: half }
  const texts = codecOf(
    Schema.Struct({
      first: Schema.String,
      a: Schema.String,
      second: Schema.String,
      b: Schema.String,
      third: Schema.String,
      c: Schema.String
    })
  )
  it.effect("may be as large as its limit", () =>
    Effect.gen(function* () {
      gate = Effect.yieldNow
      const bytes = yield* small.encodeEffect({ ...text, c: "--!" }) as Effect.Effect<Uint8Array>
      yield* small.decodeEffect(bytes, true) as Effect.Effect<unknown>
    })
  )

  it.effect.each(["encodeEffect", "decodeEffect"] as const)(
    "is not begun anew by a value in between, nor by the code that lets the value go on: %s [C243]",
    (direction) =>
      Effect.gen(function* () {
        let resume = (): void => {}
        gate = Effect.callback<void>((done) => {
          resume = () => done(Effect.void)
        })
        // Its own code runs while it is decoded, and resumes the fiber of the other value at once.
        const resuming = codecOf(
          Schema.Struct({
            x: Schema.String.pipe(
              Schema.decodeTo(
                Schema.String,
                SchemaTransformation.transform({
                  decode: (text: string) => {
                    resume()
                    return text
                  },
                  encode: (text: string) => text
                })
              )
            )
          })
        )
        const bytes = resuming.encode({ x: "x" })
        const codec = small[direction] as (value: unknown, owned: boolean) => Effect.Effect<unknown, unknown>
        const fiber = yield* Effect.forkChild(
          Effect.exit(Effect.suspend(() => codec(direction === "encodeEffect" ? text : texts.encode(text), true))),
          { startImmediately: true }
        )
        for (let i = 0; i < 3; i++) {
          resuming.decode(bytes, true)
          yield* Effect.yieldNow
        }
        const exit = yield* Fiber.join(fiber)
        assert.match(String(exit), /too many ways/)
      })
  )
})

const Zoned = Schema.Struct({ first: Waiting, zone: Schema.TimeZoneNamed })
const zoned = codecOf(Zoned, 32_000)
const zonedText = codecOf(Schema.Struct({ first: Schema.String, zone: Schema.String }))

describe("a time zone of a value that waits", () => {
  it.effect("counts as the peer's if it is received, and as this process's own if it is sent [C243]", () =>
    Effect.gen(function* () {
      const opened = yield* Deferred.make<void>()
      gate = Deferred.await(opened)
      const start = (effect: Effect.Effect<unknown, unknown, unknown>) =>
        Effect.forkChild(Effect.exit(effect), { startImmediately: true }) as Effect.Effect<
          Fiber.Fiber<Exit.Exit<unknown, unknown>>
        >
      const sent = yield* start(
        Effect.suspend(() => zoned.encodeEffect({ first: "x", zone: DateTime.zoneMakeNamedUnsafe("Asia/Tashkent") }))
      )
      const bytes = zonedText.encode({ first: "x", zone: "Asia/Samarkand" })
      const received = yield* start(Effect.suspend(() => zoned.decodeEffect(bytes, true)))
      const sentLast = yield* start(
        Effect.suspend(() => zoned.encodeEffect({ first: "x", zone: DateTime.zoneMakeNamedUnsafe("Asia/Dushanbe") }))
      )
      yield* Deferred.succeed(opened, undefined)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(sent)))
      // Looking for the zone takes more steps than the limit allows.
      assert.match(String(yield* Fiber.join(received)), /more time zones/)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(sentLast)))
    })
  )
})
