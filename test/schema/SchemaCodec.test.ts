import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { CodecError, makeSchemaCodec } from "../../src/schema/SchemaCodec.ts"
import { defaultMaxValue, type ValueTooLarge } from "../../src/schema/bound/ValueLimits.ts"

const codecOf = (schema: Schema.Top) => makeSchemaCodec(schema, { what: "the value", maxValue: defaultMaxValue })
const refused = (schema: Schema.Top, value: unknown, why: RegExp) =>
  assert.throws(() => codecOf(schema).encode(value), why)

const detached = (): Uint8Array => {
  const bytes = new Uint8Array([1, 2, 3])
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

interface Node {
  readonly text: string
  readonly next: Node | undefined
}
const Slow = Schema.String.pipe(
  Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transformEffect({
      decode: (text) => Effect.delay(Effect.succeed(text), 0),
      encode: (text) => Effect.delay(Effect.succeed(text), 0)
    })
  )
)
const Chain: Schema.Codec<Node> = Schema.Struct({
  text: Slow,
  next: Schema.UndefinedOr(Schema.suspend((): Schema.Codec<Node> => Chain))
})

describe("a value that its schema takes, and no layout carries", () => {
  it("is refused in words: a zero of another sign than its literal [C246]", () => {
    for (const schema of [
      Schema.Literal(0),
      Schema.Literals([0, 1]),
      Schema.Union([Schema.Literal(0), Schema.String])
    ]) {
      refused(schema, -0, /zero of another sign/)
      assert.strictEqual(codecOf(schema).decode(codecOf(schema).encode(0), true), 0)
    }
    refused(Schema.Literal(-0), 0, /zero of another sign/)
    assert.isTrue(Object.is(codecOf(Schema.Number).decode(codecOf(Schema.Number).encode(-0), true), -0))
  })

  it("is refused in words: anything but {} where a struct names no key [C246]", () => {
    const empty = codecOf(Schema.Struct({}))
    assert.deepStrictEqual(empty.decode(empty.encode({}), true), {})
    refused(Schema.Struct({}), { a: 1 }, /names nothing of it/)
    refused(Schema.Array(Schema.Struct({})), [{ [Symbol.for("a")]: 1 }], /names nothing of it/)
    for (const value of ["text", 5, [1], [], new Date(0)]) refused(Schema.Struct({}), value, /the value/)
  })

  it("is refused in words: bytes that are detached, wherever they are [C246]", () => {
    const Blob = Schema.Struct({ blob: Schema.Uint8Array })
    const One = Schema.Union([Blob, Schema.Struct({ blob: Schema.Uint8Array, name: Schema.String })], { mode: "oneOf" })
    assert.strictEqual(detached().byteLength, 0)
    refused(Blob, { blob: detached() }, /memory was detached/)
    refused(One, { blob: detached() }, /memory was detached/)
  })

  it.effect("is refused in words: a cycle, also where a transformation waits [C246]", () =>
    Effect.gen(function* () {
      const cycle = { text: "a", next: undefined as unknown }
      cycle.next = cycle
      const encoding = codecOf(Chain).encodeEffect(cycle) as Effect.Effect<Uint8Array, CodecError | ValueTooLarge>
      const error = yield* Effect.flip(encoding)
      assert.instanceOf(error, CodecError)
      assert.match(error.message, /nested deeper than 128 levels/)
    })
  )
})

describe("an object of JSON", () => {
  it("with symbols as keys is refused in words, at any depth and in a union [C435]", () => {
    const value = { a: 1, [Symbol.for("test/odd")]: 2 }
    refused(Schema.Json, value, /has symbols as keys, which JSON lacks/)
    refused(Schema.Struct({ all: Schema.Array(Schema.Json) }), { all: [[value]] }, /has symbols as keys/)
    refused(Schema.Union([Schema.Json, Schema.Date]), value, /has symbols as keys/)
    const hidden = Object.defineProperty({ a: 1 }, Symbol.for("test/odd"), { value: 1, enumerable: false })
    assert.deepStrictEqual(codecOf(Schema.Json).decode(codecOf(Schema.Json).encode(hidden), true), { a: 1 })
  })
})

describe("a literal beside members that Schema transforms", () => {
  const Auto = Schema.Union([Schema.NumberFromString, Schema.Literal("auto")])
  const kinds: ReadonlyArray<readonly [string, Schema.Top, ReadonlyArray<unknown>]> = [
    ["a number from text", Auto, [5, "auto"]],
    [
      "a nested union",
      Schema.Union([Schema.Union([Schema.NumberFromString, Schema.Null]), Schema.Literal("x")]),
      ["x", null, 7]
    ],
    ["an enum", Schema.Union([Schema.FiniteFromString, Schema.Enum({ A: "1" } as const)]), ["1", 1]],
    ["a key of a record", Schema.Record(Schema.String, Auto), [{ a: "auto", b: 1 }]]
  ]
  it.each(kinds)("crosses as it is: %s [C432]", (_, schema, values) => {
    for (const value of values)
      assert.deepStrictEqual(codecOf(schema).decode(codecOf(schema).encode(value), true), value)
  })

  it("crosses as it is beside secrets [C432]", () => {
    const codec = codecOf(Schema.Union([Schema.Redacted(Schema.String), Schema.Literal("none")]))
    assert.strictEqual(codec.decode(codec.encode("none"), true), "none")
    assert.isTrue(Redacted.isRedacted(codec.decode(codec.encode(Redacted.make("none")), true)))
  })
})

class Failed extends Schema.TaggedError<Failed>()("test/Failed", { at: Schema.Int }) {}

describe("errors of a message", () => {
  it("of more than 8 KiB have no frames in their stacks, and other errors keep theirs [C437]", () => {
    const codec = codecOf(Schema.Array(Failed))
    const stackOf = (count: number) => {
      const errors = codec.decode(codec.encode(Array.from({ length: count }, (_, at) => new Failed({ at }))), true)
      const last = (errors as ReadonlyArray<Failed>).at(-1)!
      assert.strictEqual(last.at, count - 1)
      return last.stack
    }
    assert.match(stackOf(1)!, /\n {4}at /)
    assert.notMatch(stackOf(8_000)!, /\n {4}at /)
    assert.match(new Error("after").stack!, /\n {4}at /)
  })

  it("do not change the stacks of other errors if decoding fails [C437]", () => {
    const bytes = codecOf(Schema.Array(Schema.Struct({ at: Schema.String }))).encode(
      Array.from({ length: 8_000 }, () => ({ at: "x" }))
    )
    assert.throws(() => codecOf(Schema.Array(Failed)).decode(bytes, true), CodecError)
    assert.match(new Error("after").stack!, /\n {4}at /)
  })
})

describe("text that a receiver decodes with a call into the engine", () => {
  it("costs one part more on both sides: text of 24 bytes, text that is not ASCII, halves of pairs [C438]", () => {
    const most = (text: string) => {
      const codec = makeSchemaCodec(Schema.Array(Schema.String), { what: "the value", maxValue: 64_000 })
      let count = 0
      // Texts differ, because a text that comes again is an index.
      const made = (count: number) => Array.from({ length: count }, (_, i) => text + String(i).padStart(4, "0"))
      for (;;) {
        try {
          codec.decode(codec.encode(made(count + 10)), false)
          count += 10
        } catch {
          return count
        }
      }
    }
    const ascii = most("x".repeat(19))
    assert.isBelow(most("x".repeat(20)), ascii * 0.7)
    assert.isBelow(most("é"), ascii * 0.85)
    assert.isBelow(most("\ud800"), ascii * 0.85)
  })
})
