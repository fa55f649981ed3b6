import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as FlameFunction from "../../src/function/FlameFunction.ts"

const pool = Context.Service<unknown>("test/Pool") as unknown as FlameFunction.PoolKey<FlameFunction.AnyPool>

/** Declares a function whose payload, success or error is the given schema. */
const declare = (contract: {
  readonly payload?: Schema.Top | Schema.Struct.Fields
  readonly success?: Schema.Top
  readonly error?: Schema.Top
}) =>
  FlameFunction.make("thumbnail", {
    payload: Schema.Void,
    success: Schema.Void,
    error: Schema.Never,
    ...contract,
    pool
  })

const refusal = (f: () => unknown): string => {
  try {
    f()
  } catch (error) {
    return (error as Error).message
  }
  return assert.fail("it was not refused")
}

describe("FlameFunction", () => {
  it("accepts fields as a struct, and any schema as it is", () => {
    const fields = FlameFunction.make("fields", { payload: { n: Schema.Int }, pool })
    assert.deepStrictEqual(Object.keys(fields.payload.fields), ["n"])
    class Item extends Schema.Class<Item>("Item")({ n: Schema.Int }) {}
    assert.strictEqual(FlameFunction.make("class", { payload: Item, pool }).payload, Item)
    assert.strictEqual(FlameFunction.make("empty", { payload: {}, pool }).payload.ast._tag, "Objects")
  })

  it("has no payload, no success value and no error unless its contract declares them", () => {
    const { error, idempotent, payload, success, timeout } = FlameFunction.make("bare", { pool })
    assert.deepStrictEqual(
      [payload.ast._tag, success.ast._tag, error.ast._tag, idempotent, timeout],
      ["Void", "Void", "Never", false, undefined]
    )
  })

  it("holds its timeout in milliseconds, or Infinity", () => {
    const timeoutOf = (timeout: FlameFunction.Contract<Schema.Void, Schema.Void, Schema.Never, never>["timeout"]) =>
      FlameFunction.make("timed", { pool, timeout }).timeout
    assert.strictEqual(timeoutOf("2 seconds"), 2000)
    assert.strictEqual(timeoutOf(250), 250)
    assert.strictEqual(timeoutOf(Infinity), undefined)
    assert.strictEqual(timeoutOf(undefined), undefined)
  })

  it("keeps all of its contract when it is implemented", () => {
    const contract = FlameFunction.make("apart", { success: Schema.Int, pool, timeout: 5, idempotent: true })
    const code = () => Effect.succeed(1)
    const fn = FlameFunction.implement(contract, code)
    assert.strictEqual(fn.implementation, code)
    assert.deepStrictEqual({ ...fn, implementation: undefined }, { ...contract, implementation: undefined })
    assert.strictEqual(fn.layout, contract.layout)
  })

  describe("the name of a function", () => {
    const named = (name: string) => () => FlameFunction.make(name, { pool })

    it("is refused when it is empty, too long, or has control characters", () => {
      assert.strictEqual(refusal(named("")), "a function needs a name that is not empty")
      assert.match(
        refusal(named("x".repeat(201))),
        /^the name of function "x{40}"\.{3} has 201 characters, at most 200 are/
      )
      assert.strictEqual(
        refusal(named("a\nb")),
        String.raw`the name of function "a\nb" has control characters: leave them out`
      )
      assert.match(refusal(named("a\u0085b")), /control characters/)
    })

    it("may be any other text", () => {
      for (const name of ["x".repeat(200), "video/thumbnail", "größe 📏", "a b"]) {
        assert.strictEqual(FlameFunction.make(name, { pool }).name, name)
      }
    })
  })

  describe("a schema without a static type", () => {
    interface Tree {
      readonly children: ReadonlyArray<Tree>
      readonly meta: unknown
    }
    const Tree = Schema.Struct({
      children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree)),
      meta: Schema.Unknown
    })
    class Item extends Schema.Class<Item>("Item")({ meta: Schema.Any }) {}
    const places: ReadonlyArray<readonly [Schema.Top, string, string]> = [
      [Schema.Unknown, "payload", "Unknown"],
      [Schema.Any, "payload", "Any"],
      [Schema.ObjectKeyword, "payload", "ObjectKeyword"],
      [
        Schema.Struct({ items: Schema.Array(Schema.Struct({ meta: Schema.Unknown })) }),
        "payload.items[].meta",
        "Unknown"
      ],
      [Schema.Record(Schema.String, Schema.Any), "payload[*]", "Any"],
      [Schema.Tuple([Schema.String, Schema.Unknown]), "payload[1]", "Unknown"],
      [Schema.Union([Schema.String, Schema.Struct({ a: Schema.Unknown })]), "payload.a", "Unknown"],
      [Schema.Struct({ a: Schema.optionalKey(Schema.Unknown) }), "payload.a", "Unknown"],
      [Schema.Struct({ a: Schema.Option(Schema.Unknown) }), "payload.a", "Unknown"],
      [Schema.HashMap(Schema.String, Schema.Any), "payload", "Any"],
      [Schema.fromJsonString(Schema.Unknown), "payload", "Unknown"],
      [Schema.Unknown.pipe(Schema.encodeTo(Schema.Unknown)), "payload", "Unknown"],
      [Schema.Struct({ at: Schema.Unknown.pipe(Schema.decodeTo(Schema.String)) }), "payload.at", "Unknown"],
      [Schema.Struct({ item: Item }), "payload.item.meta", "Any"],
      [Tree, "payload.meta", "Unknown"]
    ]

    it.each(places)("is refused at any depth (%#)", (schema, path, name) => {
      assert.strictEqual(
        refusal(() => declare({ payload: schema })),
        `function thumbnail: ${path} is Schema.${name}, whose values could change silently on their way: use Schema.Json or a real schema`
      )
    })

    it("is refused in payload, success and error", () => {
      assert.match(
        refusal(() => declare({ success: Schema.Unknown })),
        /: success is Schema\.Unknown/
      )
      assert.match(
        refusal(() => declare({ error: Schema.Struct({ cause: Schema.Any }) })),
        /: error\.cause is Schema\.Any/
      )
    })

    it("is accepted if it is encoded to Json, which refuses values that it cannot hold", () => {
      const fn = declare({
        payload: Schema.Json,
        success: Schema.Struct({ cause: Schema.Defect() }),
        error: Schema.MutableJson
      })
      assert.strictEqual(fn.payload, Schema.Json)
    })

    it("is not looked for in suspended schemas at the declaration, which may not exist yet", () => {
      const fn = declare({ payload: Schema.Struct({ later: Schema.suspend(() => Later) }) })
      const Later = Schema.Struct({ n: Schema.Number })
      assert.match(fn.layout, /^\w+-\w+-\w+$/)
    })
  })

  it("differing layouts name the sides that differ", () => {
    const a = FlameFunction.make("a", { payload: Schema.String, success: Schema.Int, pool })
    const b = FlameFunction.make("a", { payload: Schema.String, success: Schema.String, error: Schema.String, pool })
    assert.deepStrictEqual(FlameFunction.differingSides(a.layout, b.layout), ["success", "error"])
    assert.deepStrictEqual(FlameFunction.differingSides(a.layout, a.layout), [])
  })
})
