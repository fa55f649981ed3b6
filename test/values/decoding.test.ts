import { assert, describe, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { CodecError, makeSchemaCodec } from "../../src/schema/SchemaCodec.ts"
import { defaultMaxValue, ValueTooLarge } from "../../src/schema/bound/ValueLimits.ts"
import { fuzzDecoders } from "./fuzz.ts"
import { scaled } from "../fixtures/slowness.ts"
import { thorough } from "../fixtures/thorough.ts"

/** Milliseconds of CPU. The promise is 250 ms of the event loop; garbage collection on a busy machine may double it. */
const stall = 500

const cpu = (f: () => unknown): number => {
  const began = process.cpuUsage()
  f()
  const { system, user } = process.cpuUsage(began)
  return (system + user) / 1000
}

class Row extends Schema.Class<Row>("test/Row")({ n: Schema.Null }) {}
interface List {
  readonly next: List | null
}
const List: Schema.Codec<List> = Schema.Struct({
  next: Schema.NullOr(Schema.suspend((): Schema.Codec<List> => List))
})
const Either: Schema.Codec<unknown> = Schema.Union([
  Schema.Struct({ a: Schema.suspend(() => Either), b: Schema.optionalKey(Schema.String) }),
  Schema.Struct({ a: Schema.suspend(() => Either), c: Schema.optionalKey(Schema.NumberFromString) }),
  Schema.Null
])

const schemas: Readonly<Record<string, Schema.Top>> = {
  "an integer": Schema.Int,
  "a big integer": Schema.BigInt,
  "big integers": Schema.Array(Schema.BigInt),
  "a duration": Schema.Duration,
  "a decimal": Schema.BigDecimal,
  "an integer as text": Schema.BigIntFromString,
  nulls: Schema.Array(Schema.Null),
  "nulls in nulls": Schema.Array(Schema.Array(Schema.Array(Schema.Null))),
  "absent keys": Schema.Array(
    Schema.Struct(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, Schema.optionalKey(Schema.Null)])))
  ),
  "empty objects": Schema.Array(Schema.Struct({ a: Schema.optionalKey(Schema.String) })),
  numbers: Schema.Array(Schema.Number),
  text: Schema.Array(Schema.String),
  records: Schema.Array(Schema.Record(Schema.String, Schema.Null)),
  json: Schema.Json,
  classes: Schema.Array(Row),
  options: Schema.Array(Schema.Option(Schema.Null)),
  maps: Schema.ReadonlyMap(Schema.Number, Schema.Null),
  dates: Schema.Array(Schema.Date),
  times: Schema.Array(Schema.DateTimeUtc),
  zones: Schema.Array(Schema.DateTimeZoned),
  "a list": List,
  "a union of unions": Either
}

/** Bytes with the largest possible claims, of one size and with counts of all sizes. */
const hostile = function* (size: number): Generator<Buffer> {
  const counts = [size - 8, size >> 1, size >> 3, 3]
  for (const fill of [0x00, 0x01, 0x05, 0x06, 0xff]) {
    for (const count of counts) {
      const bytes = Buffer.alloc(size, fill)
      for (let at = 0, left = count; at < 5; at++, left = Math.floor(left / 128))
        bytes[at] = (left % 128) | (at < 4 ? 0x80 : 0)
      yield bytes
    }
    yield Buffer.alloc(size, fill)
  }
}

describe("bytes of a peer that breaks the rules", () => {
  it.each(Object.entries(schemas))("do not stall the receiver: %s [C188]", (_, schema) => {
    const codec = makeSchemaCodec(schema, { what: "the value", maxValue: defaultMaxValue })
    for (const bytes of hostile(2 * 1024 * 1024)) {
      const took = cpu(() => {
        try {
          codec.decode(bytes, false)
        } catch (error) {
          assert.instanceOf(error, CodecError)
        }
      })
      assert.isBelow(took, scaled(2 * stall, took))
    }
  })

  it("of 256 KiB are refused as an integer, at the cost of reading them once [C188]", () => {
    for (const schema of [Schema.Int, Schema.BigInt, Schema.Duration, Schema.Array(Schema.BigInt)]) {
      const codec = makeSchemaCodec(schema, { what: "the value", maxValue: defaultMaxValue })
      const took = cpu(() => assert.throws(() => codec.decode(Buffer.alloc(256 * 1024, 0xff), false), CodecError))
      assert.isBelow(took, scaled(stall, took))
    }
  })

  it("cannot claim millions of values in a few bytes [C188]", () => {
    const nested = Schema.Array(Schema.Array(Schema.Array(Schema.Null)))
    const codec = makeSchemaCodec(nested, { what: "the value", maxValue: defaultMaxValue })
    assert.throws(
      () => codec.decode(Buffer.from("ffffff01ffffff01ffffff01".padEnd(38, "0"), "hex"), false),
      /ends in the middle/
    )
  })

  it("cannot make the receiver keep an unlimited number of time zones and symbols [C189]", () => {
    const zoned = makeSchemaCodec(Schema.Struct({ at: Schema.DateTimeZoned }), { what: "the value", maxValue: 1e9 })
    const text = (zone: string) => `1970-01-01T00:00:00.000Z[${zone}]`
    const spelling = (n: number) =>
      [..."europe/london"].map((char, i) => (n & (1 << i) ? char.toUpperCase() : char)).join("")
    const taken = new Set<string>()
    for (let n = 0; n < 2048; n++) {
      const raw = text(spelling(n))
      try {
        zoned.decode(Buffer.concat([Buffer.from([raw.length * 2]), Buffer.from(raw)]), false)
        taken.add(raw)
      } catch (error) {
        assert.instanceOf(error, CodecError)
      }
    }
    assert.isAtMost(taken.size, 1_000)
    const symbol = makeSchemaCodec(Schema.Symbol, { what: "the value", maxValue: 1e9 })
    const words = makeSchemaCodec(Schema.String, { what: "the value", maxValue: 1e9 })
    const decode = (name: string) => symbol.decode(words.encode(name), false)
    assert.throws(() => {
      for (let n = 0; n < 10_001; n++) decode(`test/${n}`)
    }, /more than 10000 symbols/)
  })

  it("leave an app its own time zones and symbols, and garbage uses nothing up [C245]", () => {
    const zone = makeSchemaCodec(Schema.TimeZoneNamed, { what: "the value", maxValue: 1e9 })
    const words = makeSchemaCodec(Schema.String, { what: "the value", maxValue: 1e9 })
    for (let n = 0; n < 1_100; n++) assert.throws(() => zone.decode(words.encode(`Garbage/${n}`), false), CodecError)
    const known = DateTime.zoneMakeNamedUnsafe("Asia/Kathmandu")
    const crossed = zone.decode(zone.encode(known), false) as DateTime.TimeZone.Named
    assert.strictEqual(crossed.id, known.id)
    const symbol = makeSchemaCodec(Schema.Symbol, { what: "the value", maxValue: 1e9 })
    for (let n = 0; n < 10_100; n++) {
      const own = Symbol.for(`own/${n}`)
      assert.strictEqual(symbol.decode(symbol.encode(own), false), own)
    }
    assert.throws(() => symbol.encode(Symbol.for("x".repeat(257))), /longer than 256 characters/)
    assert.throws(() => symbol.decode(words.encode("x".repeat(257)), false), /more than 256 characters/)
  })

  it("are refused or read as some value, whatever they are [C190]", () => {
    const { decoded, refused, worst } = fuzzDecoders(1, 100, thorough ? 1_000 : 100)
    assert.strictEqual(decoded + refused, thorough ? 100_000 : 10_000)
    assert.isAbove(refused, thorough ? 10_000 : 1_000)
    assert.isBelow(worst, scaled(stall, worst))
  }, 120_000)
})

describe("the limit for values by a schema", () => {
  it("counts the same on both sides: a value that is sent is read, and a larger one is ValueTooLarge [C191]", () => {
    const kinds: ReadonlyArray<readonly [Schema.Top, () => unknown]> = [
      [Schema.Array(Schema.Struct({ a: Schema.Number, b: Schema.String })), () => ({ a: 1, b: "x" })],
      [Schema.Array(Row), () => new Row({ n: null })],
      [Schema.Json, () => ({ a: [1, "x", null] })],
      [Schema.Array(Schema.Record(Schema.String, Schema.BigInt)), () => ({ größe: 5n })],
      [Schema.Array(Schema.String), () => "\ud800 日"]
    ]
    for (const [schema, one] of kinds) {
      for (const maxValue of [2_000, 5_000, 20_000]) {
        const codec = makeSchemaCodec(schema, { what: "the value", maxValue })
        let n = 0
        let bytes: Uint8Array | undefined
        let error: unknown
        while (error === undefined) {
          if (bytes !== undefined) codec.decode(bytes, false)
          try {
            bytes = codec.encode(Array.from({ length: ++n }, one))
          } catch (caught) {
            error = caught
          }
        }
        assert.instanceOf(error, ValueTooLarge)
        assert.isAbove(n, 1)
      }
    }
  })

  it("does not count bytes [C191]", () => {
    const codec = makeSchemaCodec(Schema.Struct({ data: Schema.Uint8Array }), { what: "the value", maxValue: 1_000 })
    const { data } = codec.decode(codec.encode({ data: new Uint8Array(100_000) }), false) as {
      readonly data: Uint8Array
    }
    assert.strictEqual(data.length, 100_000)
  })
})
