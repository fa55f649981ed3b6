import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Schema from "effect/Schema"
import { execFileSync } from "node:child_process"
import { CodecError, makeSchemaCodec } from "../../src/schema/SchemaCodec.ts"
import { number, string } from "../../src/schema/LeafCoders.ts"
import { compileFields } from "../../src/schema/StructCode.ts"
import { pairsOf } from "../fixtures/values/pairs.ts"

const options = { what: "the value", maxValue: 1024 * 1024 }

/** More values than a struct writes or reads before its fields are compiled. */
const uses = 300

const outcome = (f: () => unknown): unknown => {
  try {
    return f()
  } catch (error) {
    assert.instanceOf(error, CodecError)
    return error.message
  }
}

const Kinds = Schema.Struct({
  b: Schema.String,
  a: Schema.Number,
  'c d"\\\u2028${x}': Schema.Boolean,
  0: Schema.optionalKey(Schema.Number),
  e: Schema.optional(Schema.String),
  f: Schema.NullOr(Schema.String),
  g: Schema.UndefinedOr(Schema.Number),
  h: Schema.Struct({ x: Schema.Array(Schema.Number), y: Schema.optionalKey(Schema.Null) }),
  i: Schema.String.check(Schema.isMinLength(2))
})

describe("the compiled fields of a struct", () => {
  const fresh = () => makeSchemaCodec(Kinds, options)
  const busy = fresh()
  const value = { b: "b", a: 1, 'c d"\\\u2028${x}': true, f: null, g: undefined, h: { x: [1, 2] }, i: "ii" }
  const values = [
    value,
    { ...value, 0: 5, e: "e", f: "f", g: 7, h: { x: [], y: null } },
    { ...value, e: undefined },
    Object.fromEntries(Object.entries(value).toReversed()),
    Object.create(value) as object
  ]
  for (let i = 0; i < uses; i++) for (const one of values) busy.decode(busy.encode(one), false)

  it("write the same bytes and read the same values as the loop, with keys in the same order [C321]", () => {
    for (const one of values) {
      const bytes = fresh().encode(one)
      assert.deepStrictEqual(busy.encode(one), bytes)
      const [slow, fast] = [fresh().decode(bytes, false), busy.decode(bytes, false)] as [object, object]
      assert.deepStrictEqual(fast, slow)
      assert.deepStrictEqual(Object.keys(fast), Object.keys(slow))
    }
  })

  it("refuse the same values as the loop, with the same messages [C321]", () => {
    const { b: _b, ...noText } = value
    const { g: _g, ...noKey } = value
    const unfits = [null, 1, [], noText, noKey, { ...value, a: "1" }, { ...value, b: 1 }, { ...value, i: "i" }]
    for (const one of [...unfits, { ...value, f: undefined }, { ...value, h: { x: 1 } }]) {
      const message = outcome(() => fresh().encode(one))
      assert.isString(message)
      assert.strictEqual(
        outcome(() => busy.encode(one)),
        message
      )
    }
  })

  it("read broken bytes as the loop does [C321]", () => {
    const bytes = busy.encode(values[1])
    for (let at = 0; at < bytes.length; at++) {
      for (const broken of [bytes.slice(0, at), ...[0, 1, 2, 0x7f, 0xf5, 0xff].map((byte) => bytes.with(at, byte))]) {
        assert.deepStrictEqual(
          outcome(() => busy.decode(broken, false)),
          outcome(() => fresh().decode(broken, false))
        )
      }
    }
  })

  it("of random schemas write the same bytes before and after [C321]", () => {
    for (const { schema, values } of pairsOf(7, 25)) {
      const codec = makeSchemaCodec(schema, options)
      const samples = fc.sample(values, { seed: 7, numRuns: 10 })
      const encodeAll = () => samples.map((one) => outcome(() => codec.encode(one)))
      const before = encodeAll()
      for (let i = 0; i < uses / 10; i++) encodeAll()
      assert.deepStrictEqual(encodeAll(), before)
    }
  })

  it("do not confuse fields with names that every object has, or with symbols [C321]", () => {
    const field = { isOptional: false, isInherited: false, coder: string }
    assert.isDefined(compileFields([{ ...field, name: "a", coder: number }]))
    assert.isUndefined(compileFields([{ ...field, name: "constructor", isInherited: true }]))
    assert.isUndefined(compileFields([{ ...field, name: Symbol.for("a") }]))
    const codec = makeSchemaCodec(Schema.Struct({ ["__proto__"]: Schema.Number, a: Schema.Number }), options)
    const own = Object.defineProperty({ a: 1 }, "__proto__", { value: 2, enumerable: true })
    for (let i = 0; i < uses; i++) {
      const read = codec.decode(codec.encode(own), false) as object
      assert.deepStrictEqual(
        [Object.keys(read).toSorted(), Object.getPrototypeOf(read)],
        [["__proto__", "a"], Object.prototype]
      )
    }
  })

  it("are not used if the process forbids code from strings [C321]", () => {
    const source = new URL("../../src/schema/SchemaCodec.ts", import.meta.url)
    const program = `
      import * as Schema from "effect/Schema"
      import { makeSchemaCodec } from ${JSON.stringify(source.href)}
      const codec = makeSchemaCodec(Schema.Struct({ a: Schema.Number, b: Schema.String }), { what: "it", maxValue: 1e6 })
      let value = { a: 1, b: "b" }
      for (let i = 0; i < ${uses}; i++) value = codec.decode(codec.encode(value), false)
      let isForbidden = false
      try { new Function("") } catch { isForbidden = true }
      console.log(JSON.stringify({ value, isForbidden }))`
    const argv = ["--disallow-code-generation-from-strings", "--input-type=module", "-e", program]
    const out = execFileSync(process.execPath, argv, { cwd: new URL("../..", import.meta.url), encoding: "utf8" })
    assert.deepStrictEqual(JSON.parse(out), { value: { a: 1, b: "b" }, isForbidden: true })
  })
})
