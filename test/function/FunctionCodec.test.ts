import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import { TestClock } from "effect/testing"
import * as FlameFunction from "../../src/function/FlameFunction.ts"
import * as FunctionCodec from "../../src/function/FunctionCodec.ts"
import * as Outcome from "../../src/call/Outcome.ts"
import { Kind } from "../../src/wire/Frame.ts"

/** The problems of an error of encoding; undefined if the error is no mismatch of value and schema. */
const payloadProblems = (error: unknown) => (error instanceof FunctionCodec.CodecError ? error.problems : undefined)

const pool = Context.Service<unknown>("test/Pool") as unknown as FlameFunction.PoolKey<FlameFunction.AnyPool>

const codecOf = (contract: {
  readonly payload?: Schema.Top | Schema.Struct.Fields
  readonly success?: Schema.Top
  readonly error?: Schema.Top
}): FunctionCodec.FunctionCodec => {
  const sides = { payload: Schema.Void, success: Schema.Void, error: Schema.Never, ...contract }
  return FunctionCodec.of(FlameFunction.make("weigh", { ...sides, pool }))
}

/** Copies bytes as a socket does: into another buffer, which is overwritten afterwards. */
const overTheWire = <A>(bytes: Uint8Array, decode: (bytes: Uint8Array) => A): A => {
  const chunk = Buffer.alloc(bytes.length + 32, 0xee)
  chunk.set(bytes, 16)
  const value = decode(chunk.subarray(16, 16 + bytes.length))
  chunk.fill(0xee)
  return value
}

const errorOf = (f: () => unknown): Error => {
  try {
    f()
  } catch (error) {
    return error as Error
  }
  return assert.fail("it did not throw")
}

class Customer extends Schema.Class<Customer>("test/Customer")({
  name: Schema.String,
  since: Schema.DateTimeUtc,
  tags: Schema.Array(Schema.String).pipe(Schema.withConstructorDefault(Effect.succeed([])))
}) {
  get greeting() {
    return `dear ${this.name}`
  }
}
class TooHeavy extends Schema.TaggedError<TooHeavy>()("TooHeavy", { limit: Schema.Int, customer: Customer }) {}
class Closed extends Schema.TaggedError<Closed>()("Closed", {}) {}

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  value: Schema.Finite,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

describe("round trips", () => {
  const schemas: Record<string, Schema.Codec<unknown, unknown>> = {
    "a struct": Schema.Struct({ id: Schema.Number, text: Schema.String, flag: Schema.Boolean, nothing: Schema.Null }),
    "a struct with checks": Schema.Struct({
      n: Schema.Int.check(Schema.isBetween({ minimum: -5, maximum: 1_000_000 })),
      s: Schema.String.check(Schema.isMaxLength(5))
    }),
    "optional fields": Schema.Struct({
      a: Schema.optionalKey(Schema.String),
      b: Schema.optional(Schema.String),
      c: Schema.UndefinedOr(Schema.NullOr(Schema.Number))
    }),
    "a number": Schema.Number,
    "a string": Schema.String,
    "a big integer": Schema.Struct({ n: Schema.BigInt }),
    bytes: Schema.Uint8Array,
    "bytes inside": Schema.Struct({ a: Schema.Uint8Array, more: Schema.Array(Schema.Uint8Array) }),
    "arrays and tuples": Schema.Tuple([Schema.Array(Schema.Int), Schema.NonEmptyArray(Schema.String)]),
    "a record": Schema.Record(Schema.String, Schema.Array(Schema.Boolean)),
    "literals and enums": Schema.Struct({
      l: Schema.Literals(["a", 1, true]),
      e: Schema.Enum({ A: "a", B: 2 } as const)
    }),
    "a union": Schema.Union([Schema.String, Schema.Number, Schema.Array(Schema.Boolean), Schema.Undefined]),
    "a tagged union": Schema.Union([
      Schema.TaggedStruct("A", { a: Schema.Number }),
      Schema.TaggedStruct("B", { a: Schema.String, more: Schema.Option(Schema.Int) })
    ]),
    "a class": Customer,
    "classes inside": Schema.Struct({ all: Schema.Array(Customer), one: Schema.optionalKey(Customer) }),
    "a tagged error": TooHeavy,
    "a schema that refers to itself": Tree,
    "dates and durations": Schema.Struct({
      date: Schema.Date,
      utc: Schema.DateTimeUtc,
      text: Schema.DateTimeUtcFromString,
      duration: Schema.Duration
    }),
    "options and results": Schema.Struct({
      option: Schema.Option(Customer),
      result: Schema.Result(Schema.Number, Closed)
    }),
    collections: Schema.Struct({
      map: Schema.ReadonlyMap(Schema.String, Schema.Number),
      set: Schema.ReadonlySet(Schema.BigInt),
      hashMap: Schema.HashMap(Schema.String, Customer),
      hashSet: Schema.HashSet(Schema.String),
      chunk: Schema.Chunk(Schema.Int)
    }),
    redacted: Schema.Struct({ key: Schema.Redacted(Schema.String), raw: Schema.RedactedFromValue(Schema.String) }),
    transformations: Schema.Struct({
      n: Schema.FiniteFromString,
      json: Schema.fromJsonString(Schema.Struct({ a: Schema.Finite })),
      url: Schema.URL,
      big: Schema.BigDecimal
    }),
    json: Schema.Struct({ any: Schema.Json })
  }

  for (const [name, schema] of Object.entries(schemas)) {
    const same = Schema.toEquivalence(schema)
    const codec = codecOf({ payload: schema, success: schema, error: schema })
    const isSame = (what: string, a: unknown, b: unknown) => assert.isTrue(same(a, b), what)

    it.effect.prop(
      `[C62] returns an equal value of ${name}`,
      [schema],
      Effect.fnUntraced(function* ([value]) {
        const run = (effect: Effect.Effect<unknown, unknown, unknown>) => effect as Effect.Effect<never>
        const payload: Uint8Array = yield* run(codec.payload.encodeEffect(value))
        isSame("payload", value, yield* overTheWire(payload, (bytes) => run(codec.payload.decodeEffect(bytes, false))))
        const success: Uint8Array = yield* run(codec.success.encodeEffect(value))
        isSame("success", value, yield* overTheWire(success, (bytes) => run(codec.success.decodeEffect(bytes, false))))
        const error: Uint8Array = yield* run(codec.error.encodeEffect(value))
        isSame("error", value, yield* overTheWire(error, (bytes) => run(codec.error.decodeEffect(bytes, false))))
        if (!codec.payload.isSync) return
        isSame(
          "payload",
          value,
          overTheWire(codec.payload.encode(value), (bytes) => codec.payload.decode(bytes, false))
        )
        isSame(
          "success",
          value,
          overTheWire(codec.success.encode(value), (bytes) => codec.success.decode(bytes, false))
        )
        isSame(
          "error",
          value,
          overTheWire(codec.error.encode(value), (bytes) => codec.error.decode(bytes, false))
        )
      }),
      { arbitrary: { runs: 60 } }
    )
  }

  it("keeps values that JSON cannot hold", () => {
    const codec = codecOf({ payload: Schema.Array(Schema.Number) })
    const odd = [NaN, Infinity, -Infinity, -0, Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 53, 0.1]
    assert.deepStrictEqual(codec.payload.decode(codec.payload.encode(odd), false), odd)
  })

  it("keeps text with halves of surrogate pairs [C180]", () => {
    const codec = codecOf({ payload: Schema.Record(Schema.String, Schema.String) })
    const texts = [
      "größe 📏 \u0000 \ufeff",
      "a\ud800",
      "\udc00",
      "hi 😀".slice(0, 4),
      "é".repeat(40),
      "x".repeat(64),
      "\ufffd"
    ]
    const record = Object.fromEntries(texts.map((text, i) => [`${text}${i}`, text]))
    assert.deepStrictEqual(codec.payload.decode(codec.payload.encode(record), false), record)
    const keys = { "\ud83d": "1", "\ud83e": "2" }
    assert.deepStrictEqual(codec.payload.decode(codec.payload.encode(keys), false), keys)
  })

  it("[C17] returns errors and payloads as instances of their classes", () => {
    const codec = codecOf({ error: Schema.Union([TooHeavy, Closed]) })
    const customer = new Customer({ name: "Ada", since: DateTime.makeUnsafe(0) })
    const error = overTheWire(codec.error.encode(new TooHeavy({ limit: 3, customer })), (b) =>
      codec.error.decode(b, false)
    )
    assert.instanceOf(error, TooHeavy)
    assert.instanceOf(error, Error)
    assert.strictEqual(error.limit, 3)
    assert.strictEqual(error.customer.greeting, "dear Ada")
    assert.instanceOf(codec.error.decode(codec.error.encode(new Closed()), false), Closed)
  })

  it("sends Redacted values in clear, and redacts them again", () => {
    const codec = codecOf({ payload: { key: Schema.Redacted(Schema.String) } })
    const bytes = codec.payload.encode({ key: Redacted.make("hunter2") })
    assert.include(Buffer.from(bytes).toString("latin1"), "hunter2")
    const { key } = codec.payload.decode(bytes, false) as { readonly key: Redacted.Redacted }
    assert.strictEqual(JSON.stringify(key), '"<redacted>"')
    assert.strictEqual(Redacted.value(key), "hunter2")
  })
})

describe("payloads", () => {
  it("are completed as the schema's constructor does: defaults filled in, plain objects made instances", () => {
    const codec = codecOf({
      payload: {
        customer: Customer,
        retries: Schema.Int.pipe(Schema.withConstructorDefault(Effect.succeed(3))),
        kind: Schema.tag("order")
      }
    })
    const since = DateTime.makeUnsafe(0)
    const payload = codec.payload.decode(codec.payload.encode({ customer: { name: "Ada", since } }), false)
    assert.deepStrictEqual(payload, {
      customer: new Customer({ name: "Ada", since, tags: [] }),
      retries: 3,
      kind: "order"
    })
    const top = codecOf({ payload: Customer })
    assert.instanceOf(top.payload.decode(top.payload.encode({ name: "Ada", since }), false), Customer)
    assert.instanceOf(top.payload.decode(top.payload.encode(new Customer({ name: "Ada", since })), false), Customer)
  })

  it.effect("may have defaults that are computed by an Effect", () =>
    Effect.gen(function* () {
      const now = Effect.map(DateTime.now, (at) => at)
      const codec = codecOf({ payload: { at: Schema.DateTimeUtc.pipe(Schema.withConstructorDefault(now)) } })
      assert.isFalse(codec.payload.isSync)
      yield* TestClock.setTime(5)
      const bytes = yield* codec.payload.encodeEffect({}) as Effect.Effect<Uint8Array, FunctionCodec.CodecError>
      assert.deepStrictEqual(codec.payload.decode(bytes, false), { at: DateTime.makeUnsafe(5) })
    })
  )

  it("lose fields that the schema does not declare", () => {
    const codec = codecOf({ payload: { a: Schema.Number } })
    assert.deepStrictEqual(codec.payload.decode(codec.payload.encode({ a: 1, b: 2 }), false), { a: 1 })
  })
})

describe("void", () => {
  it("has no bytes on the wire, in payload, success and error", () => {
    const codec = codecOf({ error: Schema.Void })
    for (const bytes of [
      codec.payload.encode(undefined),
      codec.success.encode(undefined),
      codec.error.encode(undefined)
    ]) {
      assert.strictEqual(bytes.length, 0)
    }
    assert.isUndefined(codec.payload.decode(new Uint8Array(0), true))
    assert.isTrue(codec.payload.isSync && codec.success.isSync && codec.error.isSync)
  })
})

describe("bytes", () => {
  const codec = codecOf({ payload: Schema.Uint8Array, success: Schema.Uint8Array })

  it("that are the whole value are sent without a copy", () => {
    const bytes = new Uint8Array(100)
    assert.strictEqual(codec.payload.encode(bytes), bytes)
    const view = Buffer.from("view").subarray(1)
    assert.strictEqual(codec.payload.encode(view), view)
  })

  it("that are a view of a larger buffer are copied before the function's next turn; whole buffers are given away [C181]", () => {
    const whole = new Uint8Array(20_000)
    assert.strictEqual(codec.success.encode(whole), whole)
    const view = whole.subarray(1)
    const copy = codec.success.encode(view)
    assert.notStrictEqual(copy.buffer, whole.buffer)
    assert.deepStrictEqual(copy, view)
    const items = codec.items.encodeMany([view])
    assert.isTrue(items.every((piece) => piece.buffer !== whole.buffer))
    const shared = new Uint8Array(new SharedArrayBuffer(20_000))
    assert.notStrictEqual(codec.success.encode(shared).buffer, shared.buffer)
  })

  it("that are the whole value arrive without a copy if the receiver owns them, else as a copy", () => {
    const owned = new Uint8Array([1, 2, 3])
    assert.strictEqual(codec.success.decode(owned, true), owned)
    const borrowed = Buffer.from([1, 2, 3])
    const value = codec.success.decode(borrowed, false) as Uint8Array
    borrowed.fill(0)
    assert.deepStrictEqual(value, new Uint8Array([1, 2, 3]))
  })

  it("never arrive as a Buffer", () => {
    const nested = codecOf({ success: Schema.Struct({ a: Schema.Uint8Array }) })
    const body = Buffer.from(nested.success.encode({ a: new Uint8Array([1, 2, 3]) }))
    const { a } = nested.success.decode(body, true) as { readonly a: Uint8Array }
    for (const bytes of [
      codec.success.decode(Buffer.from([1]), true),
      codec.success.decode(Buffer.from([1]), false),
      a
    ]) {
      assert.strictEqual((bytes as Uint8Array).constructor, Uint8Array)
    }
  })

  it("inside other values keep no buffer of the wire, neither its content nor its memory", () => {
    const nested = codecOf({ success: Schema.Struct({ tiny: Schema.Uint8Array }) })
    const { tiny } = overTheWire(nested.success.encode({ tiny: new Uint8Array([1, 2, 3]) }), (bytes) =>
      nested.success.decode(bytes, false)
    ) as { readonly tiny: Uint8Array }
    assert.deepStrictEqual(tiny, new Uint8Array([1, 2, 3]))
    assert.strictEqual(tiny.buffer.byteLength, 3)
  })

  it("are refused when the value has another type", () => {
    const error = errorOf(() => codec.payload.encode("bytes"))
    assert.strictEqual(error.message, "the payload of weigh does not match its schema: expected Uint8Array")
  })

  it("may have checks", () => {
    const short = codecOf({ payload: Schema.Uint8Array.check(Schema.isMaxLength(2)) })
    assert.deepStrictEqual(short.payload.decode(short.payload.encode(new Uint8Array(2)), false), new Uint8Array(2))
    assert.match(errorOf(() => short.payload.encode(new Uint8Array(3))).message, /a length of at most 2/)
  })
})

describe("encoded bytes", () => {
  it("do not change while others are encoded", () => {
    const codec = codecOf({ payload: { id: Schema.Number, text: Schema.String } })
    const views = Array.from({ length: 5_000 }, (_, id) => codec.payload.encode({ id, text: "x".repeat(id % 100) }))
    for (const [id, bytes] of views.entries()) {
      assert.deepStrictEqual(codec.payload.decode(bytes, false), { id, text: "x".repeat(id % 100) })
    }
  })

  it("of a large value are not kept alive by small ones after it", () => {
    const codec = codecOf({ payload: { data: Schema.Uint8Array } })
    const large = codec.payload.encode({ data: new Uint8Array(3_000_000) })
    assert.isAbove(large.buffer.byteLength, 3_000_000)
    assert.isAtMost(codec.payload.encode({ data: new Uint8Array(3) }).buffer.byteLength, 65_536)
    assert.strictEqual((codec.payload.decode(large, false) as { readonly data: Uint8Array }).data.length, 3_000_000)
  })
})

describe("a value that does not fit", () => {
  const cases: ReadonlyArray<readonly [Schema.Top | Schema.Struct.Fields, unknown, string]> = [
    [{ n: Schema.Number }, { n: "hunter2" }, "n: expected number"],
    [{ n: Schema.Number }, {}, "n: is missing"],
    [{ n: Schema.Number }, undefined, "expected object"],
    [{ n: Schema.Int }, { n: 1.5 }, "n: expected an integer"],
    [
      { s: Schema.String.check(Schema.isMinLength(9)) },
      { s: "hunter2" },
      "s: expected a value with a length of at least 9"
    ],
    [{ a: Schema.Number, b: Schema.Number }, { a: "hunter2", b: "hunter2" }, "a: expected number; b: expected number"],
    [
      { items: Schema.Array(Schema.Struct({ id: Schema.Int })) },
      { items: [{ id: 1 }, { id: "hunter2" }] },
      "items[1].id: expected number"
    ],
    [{ "odd key": Schema.Number }, { "odd key": "hunter2" }, `["odd key"]: expected number`],
    [Schema.Record(Schema.String, Schema.Number), { hunter2: "x" }, "[*]: expected number"],
    [{ at: Schema.DateTimeUtc }, { at: new Date(0) }, "at: expected DateTime.Utc"],
    [{ customer: Customer }, { customer: { name: "hunter2" } }, "customer.since: is missing"],
    [Schema.Literals(["a", "b"]), "hunter2", `expected "a" | "b"`],
    [Schema.Union([Schema.TaggedStruct("A", { a: Schema.Number })]), { _tag: "A", a: "hunter2" }, "a: expected number"],
    [
      { s: Schema.String.check(Schema.makeFilter((s) => `"${s}" is bad`)) },
      { s: "hunter2" },
      "s: does not pass a check of its schema"
    ],
    [
      { s: Schema.String.check(Schema.makeFilter((s) => `"${s}" is bad`, { expected: "a good one" })) },
      { s: "hunter2" },
      "s: expected a good one"
    ],
    [
      { s: Schema.String.check(Schema.makeFilter(() => false, { message: "must be good" })) },
      { s: "hunter2" },
      "s: must be good"
    ],
    [{ key: Schema.Redacted(Schema.String) }, { key: "hunter2" }, "key: expected Redacted"],
    [{ json: Schema.Json }, { json: new Map([["hunter2", 1]]) }, "json: expected JSON value"],
    [{ json: Schema.Json }, { json: { hunter2: () => 1 } }, "json: expected JSON value"]
  ]

  it.each(cases)("[C62] is reported by path and expectation, without the value (%#)", (payload, value, problems) => {
    const codec = codecOf({ payload })
    const error = errorOf(() => codec.payload.encode(value))
    assert.strictEqual(error.message, `the payload of weigh does not match its schema: ${problems}`)
    assert.strictEqual(
      payloadProblems(error)
        ?.map(({ path, problem }) => (path === "" ? problem : `${path}: ${problem}`))
        .join("; "),
      problems
    )
    assert.notInclude(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, "hunter2")
  })

  it.effect("is reported without the value when a transformation puts the value into its message", () =>
    Effect.gen(function* () {
      const Odd = Schema.String.pipe(
        Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.passthrough(),
          encode: SchemaGetter.transformEffect((s: string) =>
            Effect.fail(new SchemaIssue.InvalidValue({ message: `cannot encode ${s}` }))
          )
        })
      )
      const codec = codecOf({ payload: { odd: Odd } })
      const error = yield* Effect.flip(
        codec.payload.encodeEffect({ odd: "hunter2" }) as Effect.Effect<Uint8Array, FunctionCodec.CodecError>
      )
      assert.strictEqual(error.message, "the payload of weigh does not match its schema: odd: expected a valid value")
      assert.notInclude(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`, "hunter2")
    })
  )

  it("is reported with its side: payload, success or error", () => {
    const codec = codecOf({ success: Schema.Number, error: Closed })
    assert.match(errorOf(() => codec.success.encode("1")).message, /^the result of weigh does not match its schema: /)
    assert.match(
      errorOf(() => codec.error.encode(new Error("x"))).message,
      /^the error of weigh does not match its schema: /
    )
    assert.match(errorOf(() => codecOf({}).error.encode("x")).message, /expected never$/)
  })

  it("is reported with at most ten problems", () => {
    const codec = codecOf({ payload: Schema.Array(Schema.Number) })
    assert.lengthOf(payloadProblems(errorOf(() => codec.payload.encode(Array.from({ length: 50 }, String)))) ?? [], 10)
  })

  it("may contain a cycle, and the report still ends", () => {
    const cycle = { value: 1, children: [] as Array<unknown> }
    cycle.children.push(cycle)
    assert.instanceOf(
      errorOf(() => codecOf({ payload: Tree }).payload.encode(cycle)),
      Error
    )
  })

  it("is a defect, not a mismatch, when code of the schema throws", () => {
    const boom = new Error("boom")
    const Throwing = Schema.Number.check(
      Schema.makeFilter(() => {
        throw boom
      })
    )
    const error = errorOf(() => codecOf({ payload: { n: Throwing } }).payload.encode({ n: 1 }))
    assert.isUndefined(payloadProblems(error))
    assert.isTrue(error === boom || error.message.includes("boom") || String(error.cause).includes("boom"))
  })
})

describe("bytes that encode no value", () => {
  const codec = codecOf({ success: Schema.Struct({ id: Schema.Number, text: Schema.String }) })
  const good = codec.success.encode({ id: 1, text: "hello" }).slice()
  const isGood = () => assert.deepStrictEqual(codec.success.decode(good, false), { id: 1, text: "hello" })

  it("are refused, and do not affect the next message", () => {
    const twice = Buffer.concat([good, good])
    const more = Buffer.concat([good, Buffer.from([0x7f, 1])])
    const bad = [
      new Uint8Array(0),
      good.subarray(0, 5),
      more,
      twice,
      new Uint8Array([0]),
      new Uint8Array(20).fill(0xff)
    ]
    for (const bytes of bad) {
      const error = errorOf(() => codec.success.decode(bytes, false))
      assert.match(error.message, /^the result of weigh cannot be read: /)
      isGood()
    }
  })

  it("are refused when they belong to another schema", () => {
    const other = codecOf({ success: Schema.Struct({ id: Schema.String, text: Schema.String }) })
    const error = errorOf(() => codec.success.decode(other.success.encode({ id: "hunter2", text: "" }), false))
    assert.match(error.message, /^the result of weigh cannot be read: /)
    assert.notInclude(error.message, "hunter2")
    isGood()
  })

  it.effect.prop(
    "are refused or read as some value, whatever they are",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))],
    ([numbers]) =>
      Effect.sync(() => {
        try {
          codec.success.decode(new Uint8Array([numbers.length, ...numbers]), false)
        } catch (error) {
          assert.instanceOf(error, FunctionCodec.CodecError)
        }
        isGood()
      }),
    { arbitrary: { runs: 300 } }
  )
})

describe("codecs that suspend or need services", () => {
  class Dictionary extends Context.Service<Dictionary, { readonly words: ReadonlyArray<string> }>()(
    "test/Dictionary"
  ) {}
  const Word = Schema.Int.pipe(
    Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transformEffect((index: number) => Dictionary.useSync(({ words }) => words[index] ?? "?")),
      encode: SchemaGetter.transformEffect((word: string) => Dictionary.useSync(({ words }) => words.indexOf(word)))
    })
  )
  const Slow = Schema.String.pipe(
    Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transformEffect((s: string) => Effect.as(Effect.sleep("1 second"), s.slice(5))),
      encode: SchemaGetter.transformEffect((s: string) => Effect.as(Effect.sleep("1 second"), `slow ${s}`))
    })
  )

  it.effect("get their services from the fiber that runs them", () =>
    Effect.gen(function* () {
      const codec = codecOf({ payload: { word: Word } })
      assert.isFalse(codec.payload.isSync)
      const at = (words: ReadonlyArray<string>) => Effect.provideService(Dictionary, { words })
      const run = <A, E>(effect: Effect.Effect<A, E, unknown>) => effect as Effect.Effect<A, E, Dictionary>
      const bytes = yield* run(codec.payload.encodeEffect({ word: "b" })).pipe(at(["a", "b"]))
      const value = yield* run(codec.payload.decodeEffect(bytes, false)).pipe(at(["A", "B"]))
      assert.deepStrictEqual(value, { word: "B" })
    })
  )

  it.effect("suspend without blocking", () =>
    Effect.gen(function* () {
      const codec = codecOf({ success: Schema.Array(Slow) })
      const there = yield* codec.success
        .encodeEffect(["a", "b"])
        .pipe((effect) => Effect.forkChild(effect as Effect.Effect<Uint8Array>))
      yield* TestClock.adjust("2 seconds")
      const bytes = yield* Fiber.join(there)
      const back = yield* codec.success
        .decodeEffect(bytes, false)
        .pipe((effect) => Effect.forkChild(effect as Effect.Effect<unknown>))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(back), ["a", "b"])
    })
  )

  it("are distinguished from codecs that do neither", () => {
    const isSync = (payload: Schema.Top | Schema.Struct.Fields) => codecOf({ payload }).payload.isSync
    for (const schema of [Schema.Number, Schema.Int, Customer, TooHeavy, Tree, Schema.FiniteFromString]) {
      assert.isTrue(isSync(schema))
      assert.isTrue(isSync(Schema.Option(schema)))
    }
    for (const schema of [Word, Slow]) {
      assert.isFalse(isSync(schema))
      assert.isFalse(isSync({ deep: Schema.Array(Schema.Struct({ down: schema })) }))
      assert.isFalse(isSync(Schema.Option(schema)))
      assert.isFalse(isSync(Schema.Record(Schema.String, schema)))
    }
    // Effect's own encoding may fail, which cannot be told apart from outside.
    assert.isFalse(isSync(Schema.RegExp))
  })

  it("return an Exit if nothing suspends, so that no fiber is needed", () => {
    const codec = codecOf({ payload: { at: Schema.DateTimeUtcFromString } })
    const encoded = codec.payload.encodeEffect({ at: DateTime.makeUnsafe(0) })
    assert.isTrue(Exit.isExit(encoded) && Exit.isSuccess(encoded))
    assert.isTrue(Exit.isExit(codec.payload.decodeEffect(Effect.runSync(encoded as Effect.Effect<Uint8Array>), false)))
  })
})

describe("a value that is nested too deep", () => {
  interface Tree {
    readonly children: ReadonlyArray<Tree>
  }
  const Tree = Schema.Struct({ children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree)) })
  const tree = (depth: number): Tree => {
    let whole: Tree = { children: [] }
    for (let i = 0; i < depth; i++) whole = { children: [whole] }
    return whole
  }

  it("is refused by the sender, with the limit of 128 levels [C182]", () => {
    const codec = codecOf({ payload: Tree, success: Tree })
    // Each object holds an array.
    const deepest = tree(63)
    assert.deepStrictEqual(codec.success.decode(codec.success.encode(deepest), false), deepest)
    for (const depth of [64, 600, 100_000]) {
      const error = errorOf(() => codec.payload.encode(tree(depth)))
      assert.instanceOf(error, FunctionCodec.CodecError)
      assert.match(error.message, /is nested deeper than 128 levels$/)
    }
  })

  it("is refused where Schema itself would overflow the stack, and so is a cycle [C182]", () => {
    class Node extends Schema.Class<Node>("test/Node")({
      children: Schema.Array(Schema.suspend((): Schema.Codec<unknown, unknown> => Node as never))
    }) {}
    const codec = codecOf({ success: Node })
    let whole: unknown = new Node({ children: [] })
    for (let i = 0; i < 100_000; i++) whole = { children: [whole] }
    assert.instanceOf(
      errorOf(() => codec.success.encode(whole)),
      FunctionCodec.CodecError
    )
    const cycle = { children: [] as Array<unknown> }
    cycle.children.push(cycle)
    assert.match(errorOf(() => codecOf({ success: Tree }).success.encode(cycle)).message, /deeper than 128 levels/)
    assert.match(
      errorOf(() => codecOf({ success: Schema.Json }).success.encode(cycle)).message,
      /deeper than 128 levels/
    )
  })

  it("is refused by the receiver, whatever the sender counted [C182]", () => {
    const codec = codecOf({ success: Schema.Json })
    const bytes = Buffer.alloc(2 * 100_000 + 1)
    for (let i = 0; i < 100_000; i++) bytes.set([5, 1], 2 * i)
    const exit = Outcome.read("deep", codec, Kind.Success, bytes, undefined, "r")
    assert.isTrue(Exit.isExit(exit) && Exit.isFailure(exit))
    assert.match(
      errorOf(() => codec.success.decode(bytes, false)).message,
      /cannot be read: the value is nested deeper than 128 levels/
    )
  })
})

describe("a codec", () => {
  it("is made once for each function", () => {
    const fn = FlameFunction.make("once", { pool })
    assert.strictEqual(FunctionCodec.of(fn), FunctionCodec.of(fn))
    assert.strictEqual(FunctionCodec.of(fn).layout, fn.layout)
  })

  it("of a schema that cannot be encoded is refused where its function is declared, with the path [C183]", () => {
    const declare = (success: Schema.Top) => () => FlameFunction.make("odd", { success, pool })
    assert.match(
      errorOf(declare(Schema.Struct({ when: Schema.instanceOf(WeakRef) }))).message,
      /^function odd: success\.when is a declaration, which has no codec/
    )
    assert.match(
      errorOf(declare(Schema.Array(Schema.Unknown))).message,
      /^function odd: success\[\] is Schema\.Unknown/
    )
  })

  it("refuses a schema without a static type that did not exist yet when the function was declared", () => {
    const fn = FlameFunction.make("late", { success: Schema.Struct({ later: Schema.suspend(() => Later) }), pool })
    const Later = Schema.Struct({ meta: Schema.Unknown })
    assert.match(
      errorOf(() => FunctionCodec.of(fn).success.encode({})).message,
      /^the result of late cannot be sent: later\.meta is Schema\.Unknown/
    )
  })
})
