import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { CodecError, makeSchemaCodec } from "../../src/schema/SchemaCodec.ts"
import { isShared, SentTexts } from "../../src/schema/SharedTexts.ts"
import { defaultMaxValue, ValueTooLarge } from "../../src/schema/bound/ValueLimits.ts"

const codecOf = (schema: Schema.Top, maxValue = defaultMaxValue) =>
  makeSchemaCodec(schema, { what: "the value", maxValue })

const Line = Schema.Struct({ host: Schema.String, level: Schema.String, at: Schema.Number })

describe("texts that a message repeats", () => {
  it("are written once, and arrive as they were [C320]", () => {
    const codec = codecOf(Schema.Array(Line))
    const lines = Array.from({ length: 1000 }, (_, at) => ({
      host: `runner-${at % 10}.example.com`,
      level: at % 3 === 0 ? "warning" : "information",
      at
    }))
    const bytes = codec.encode(lines)
    assert.deepStrictEqual(codec.decode(bytes, false), lines)
    // An index for each text, a tag, and two bytes for most numbers.
    assert.isBelow(bytes.length, 6 * 1000)
  })

  it("arrive with any content, also when many of them share a slot [C320]", () => {
    const codec = codecOf(Schema.Array(Schema.String))
    const half = "\ud800".repeat(5)
    const kinds = ["", "ab", "abc", "größe", "日本語", half, "x".repeat(256), "y".repeat(257), "é".repeat(200)]
    // Texts that differ in a character on which the slot does not depend.
    const alike = Array.from({ length: 26 }, (_, i) => `a${String.fromCharCode(97 + i)}${"m".repeat(100)}yz`)
    const texts = [...kinds, ...alike, ...kinds, ...alike, ...alike.toReversed(), ...kinds]
    assert.deepStrictEqual(codec.decode(codec.encode(texts), false), texts)
  })

  it("are shared by keys of records, JSON and its keys [C320]", () => {
    for (const schema of [Schema.Array(Schema.Record(Schema.String, Schema.Number)), Schema.Json]) {
      const codec = codecOf(schema)
      const values = Array.from({ length: 100 }, (_, i) => ({ temperature: i, humidity: 100 - i }))
      const bytes = codec.encode(values)
      assert.deepStrictEqual(codec.decode(bytes, false), values)
      assert.isBelow(bytes.length, 1200)
    }
  })

  it("of a message that was refused do not appear in the next message [C320]", () => {
    const codec = codecOf(Schema.Array(Schema.String))
    assert.throws(() => codec.encode(["repeated", "repeated", 1]), CodecError)
    const bytes = codec.encode(["repeated", "another"])
    assert.deepStrictEqual(codec.decode(bytes, false), ["repeated", "another"])
    assert.deepStrictEqual(codecOf(Schema.String).decode(codecOf(Schema.String).encode("repeated"), false), "repeated")
  })

  it("count with their whole length each time, on both sides [C320]", () => {
    const text = "x".repeat(200)
    const maxValue = 100 * 250
    const codec = codecOf(Schema.Array(Schema.String), maxValue)
    // 200 bytes of text, and 32 bytes for each value.
    const fitting = Math.floor((maxValue - 32) / 232)
    const bytes = codec.encode(Array.from({ length: fitting }, () => text))
    assert.lengthOf(codec.decode(bytes, false) as ReadonlyArray<string>, fitting)
    const more = Array.from({ length: fitting + 1 }, () => text)
    assert.throws(() => codec.encode(more), ValueTooLarge)
    const wide = codecOf(Schema.Array(Schema.String)).encode(more)
    assert.throws(() => codec.decode(wide, false), /larger than the maxValue/)
  })

  it("that were not sent are refused [C320]", () => {
    const array = codecOf(Schema.Array(Schema.String))
    // First two texts: "abc", and the text with index 1. Then the text with index 2, and a text in a message without
    // rows.
    assert.deepStrictEqual(array.decode(Buffer.from([2, 6, 97, 98, 99, 3]), false), ["abc", "abc"])
    assert.throws(() => array.decode(Buffer.from([2, 6, 97, 98, 99, 5]), false), /repeats one that did not come/)
    assert.throws(() => array.decode(Buffer.from([2, 3, 6, 97, 98, 99]), false), /repeats one that did not come/)
    assert.throws(() => array.decode(Buffer.from([1, 3]), false), /repeats one that did not come/)
    assert.throws(() => codecOf(Schema.String).decode(Buffer.from([3]), false), /repeats one that did not come/)
  })
})

describe("SentTexts", () => {
  it("gives a text an index, and forgets all texts [C320]", () => {
    const texts = new SentTexts()
    assert.deepStrictEqual([texts.indexOf("one"), texts.indexOf("three"), texts.indexOf("one")], [0, 0, 1])
    assert.strictEqual(texts.indexOf("three"), 2)
    texts.clear()
    assert.strictEqual(texts.indexOf("three"), 0)
    assert.strictEqual(texts.indexOf("three"), 1)
  })

  it("shares neither very short nor long texts [C320]", () => {
    assert.deepStrictEqual([2, 3, 256, 257].map(isShared), [false, true, true, false])
  })
})
