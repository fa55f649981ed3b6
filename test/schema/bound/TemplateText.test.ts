import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import { CodecError, makeSchemaCodec } from "../../../src/schema/SchemaCodec.ts"
import { maxTemplateText, triesOf } from "../../../src/schema/bound/TemplateText.ts"
import { defaultMaxValue } from "../../../src/schema/bound/ValueLimits.ts"
import { scaled } from "../../fixtures/slowness.ts"

const { Number, String, TemplateLiteral } = Schema
const codecOf = (schema: Schema.Top) => makeSchemaCodec(schema, { what: "the value", maxValue: defaultMaxValue })
const words = TemplateLiteral([String, "-", String, "-", String, "!"])
const numbers = TemplateLiteral([Number, Number, Number])

const cpu = (f: () => unknown): number => {
  const began = process.cpuUsage()
  f()
  const { system, user } = process.cpuUsage(began)
  return (system + user) / 1000
}

describe("the text of a template", () => {
  const fits: ReadonlyArray<readonly [string, Schema.Top, unknown]> = [
    ["a value", words, "one-two-three!"],
    ["numbers", TemplateLiteral([Number, "x", Number]), "12x-3.5"],
    ["a template within another", TemplateLiteral([TemplateLiteral(["a", Number]), ":", String]), "a4:text"],
    ["a member of a union", Schema.Union([words, Schema.Int]), "a-b-c!"],
    ["one of two templates", Schema.Union([words, TemplateLiteral(["#", Number])]), "#7"],
    ["a key", Schema.Record(TemplateLiteral(["k", Number]), Schema.Int), { k1: 1, k2: 2 }],
    [
      "a key beside fields",
      Schema.StructWithRest(Schema.Struct({ id: Schema.Int }), [
        Schema.Record(TemplateLiteral(["k", Number]), Schema.Int)
      ]),
      { id: 3, k1: 1 }
    ],
    ["a parser's", Schema.TemplateLiteralParser([Number, "px ", String]), [12, "px ", "solid"]],
    ["one with a check", words.check(Schema.isMaxLength(8)), "a-b-c!"],
    ["one of a brand", words.pipe(Schema.brand("Words")), "a-b-c!"],
    ["1 024 characters of two parts", TemplateLiteral([String, "-", String]), `${"a".repeat(512)}-${"b".repeat(511)}`]
  ]

  it.each(fits)("crosses as it is: %s [C243]", (_, schema, value) => {
    const codec = codecOf(schema)
    assert.deepStrictEqual(codec.decode(codec.encode(value), true), value)
    assert.throws(() => codec.encode("no match"), CodecError)
  })

  const wide = "1".repeat(maxTemplateText - 1) + "x"
  const many = Array.from({ length: 200 }, (_, i) => "-".repeat(500 + (i % 2)))
  const hostile: ReadonlyArray<readonly [string, Schema.Top, Schema.Top, unknown]> = [
    ["too long", words, String, "-".repeat(100_000)],
    ["numbers in a row", numbers, String, wide],
    ["a member of a union", Schema.Union([numbers, Schema.Int]), Schema.Union([String, Schema.Int]), wide],
    ["many", Schema.Array(words), Schema.Array(String), many],
    [
      "one of two templates",
      Schema.Array(Schema.Union([words, numbers])),
      Schema.Array(Schema.Union([String, Schema.String.check(Schema.isMinLength(0))])),
      many
    ],
    [
      "keys",
      Schema.Record(words, Schema.Int),
      Schema.Record(String, Schema.Int),
      Object.fromEntries(many.map((text, i) => [text + i, i]))
    ],
    ["long keys", Schema.Record(words, Schema.Int), Schema.Record(String, Schema.Int), { ["-".repeat(100_000)]: 1 }],
    ["a parser's", Schema.TemplateLiteralParser([Number, Number, Number]), String, wide]
  ]

  it.each(hostile)("costs its receiver and its sender no more than other values: %s [C243]", (_, schema, as, value) => {
    const codec = codecOf(schema)
    const bytes = codecOf(as).encode(value)
    const decoding = cpu(() => {
      try {
        codec.decode(bytes, false)
      } catch (error) {
        assert.instanceOf(error, CodecError)
      }
    })
    assert.isBelow(decoding, scaled(500, decoding))
    const encoding = cpu(() => {
      try {
        codec.encode(value)
      } catch (error) {
        assert.instanceOf(error, CodecError)
      }
    })
    assert.isBelow(encoding, scaled(500, encoding))
  })

  it("is refused in words that name the bound, by its sender and by its receiver [C243]", () => {
    const long = "-".repeat(maxTemplateText + 1)
    assert.throws(() => codecOf(words).encode(long), /longer than 1024 characters/)
    assert.throws(() => codecOf(words).decode(codecOf(String).encode(long), false), /longer than 1024 characters/)
    const keyed = codecOf(Schema.Record(TemplateLiteral([String, "-"]), Schema.Int))
    assert.throws(() => keyed.encode({ [`${"a".repeat(maxTemplateText)}-`]: 1 }), /longer than 1024 characters/)
  })

  it("counts the ways to part it, which are few where literals part it [C243]", () => {
    const tries = (schema: Schema.Top, text: string) => triesOf(schema.ast as SchemaAST.TemplateLiteral, text)
    const version = TemplateLiteral([Number, ".", Number, ".", Number])
    assert.isBelow(tries(version, "1.22.333"), 30)
    assert.isBelow(tries(words, "one-two-three!"), 30)
    assert.isAbove(tries(words, "-".repeat(1_000)), 1_000_000)
    assert.isAbove(tries(numbers, "1".repeat(1_000)), 10_000_000)
  })

  it("has a largest number of texts in a value by default [C436]", () => {
    const codec = codecOf(Schema.Array(TemplateLiteral(["a", String])))
    const made = (count: number) => Array.from({ length: count }, () => "ab")
    codec.decode(codec.encode(made(40_000)), false)
    assert.throws(() => codec.encode(made(55_000)), /too many ways/)
    const bytes = codecOf(Schema.Array(String)).encode(made(55_000))
    assert.throws(() => codec.decode(bytes, false), /too many ways/)
  })
})

describe("text from which a value with parts is parsed", () => {
  const parsed: ReadonlyArray<readonly [string, Schema.Top, (count: number) => string]> = [
    ["an array", Schema.fromJsonString(Schema.Array(Schema.Int)), (count) => JSON.stringify(Array(count).fill(1))],
    ["objects", Schema.fromJsonString(Schema.Json), (count) => `[${"{},".repeat(count / 2)}{}]`],
    ["any JSON", Schema.fromJsonString(Schema.Json), (count) => "[".repeat(count)]
  ]
  it.each(parsed)("has a largest number of parts by default: %s [C436]", (_, schema, make) => {
    const read = (count: number) => () => codecOf(schema).decode(codecOf(String).encode(make(count)), false)
    assert.throws(read(134_000), /too many parts for its maxValue/)
    try {
      read(120_000)()
    } catch (error) {
      // Brackets alone are no JSON.
      assert.instanceOf(error, CodecError)
      assert.notMatch(error.message, /too many parts/)
    }
  })

  it("costs nothing by its length: one long text in JSON [C436]", () => {
    const codec = codecOf(Schema.fromJsonString(Schema.Struct({ text: Schema.String })))
    const value = { text: "x".repeat(1_000_000) }
    assert.deepStrictEqual(codec.decode(codec.encode(value), false), value)
  })

  it("counts the characters of ranges of versions [C436]", () => {
    const ranges = codecOf(Schema.Array(Schema.SemVerRangeFromString))
    const texts = (count: number) => codecOf(Schema.Array(String)).encode(Array(count).fill("1.1.1 ".repeat(600)))
    const decode = (count: number) => Effect.runSync(ranges.decodeEffect(texts(count), false) as Effect.Effect<unknown>)
    decode(20)
    assert.throws(() => decode(400), /ranges of versions that take too long/)
  })
})
