import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as cp from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { rolldown } from "rolldown"
import { describe as layout, fingerprint } from "../../src/schema/SchemaLayout.ts"
import { schemas } from "../fixtures/layout/schemas.ts"

describe("SchemaLayout", () => {
  it("describes a schema in one line", () => {
    class Item extends Schema.Class<Item>("Item")({ id: Schema.Int }) {}
    const description = layout(
      Schema.Struct({
        name: Schema.String.check(Schema.isMinLength(3)),
        item: Schema.optionalKey(Item),
        tags: Schema.Array(Schema.Literals(["a", "b"])),
        at: Schema.DateTimeUtcFromString
      })
    )
    assert.strictEqual(
      description,
      `{at: DateTimeUtc as String, item?: Item<{id: Number & isInt}>, name: String & isMinLength{"minLength":3}, tags: [...("a" | "b")]}`
    )
  })

  it("cuts a long description, and the fingerprint still covers all of it", () => {
    const wide = (last: Schema.Top) =>
      Schema.Struct({
        ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`field${i}`, Schema.String])),
        zzz: last
      })
    assert.isAtMost(layout(wide(Schema.String)).length, 200)
    assert.notStrictEqual(fingerprint(wide(Schema.String)), fingerprint(wide(Schema.Number)))
  })

  const base = { a: Schema.String, b: Schema.Number }
  const changes: ReadonlyArray<readonly [what: string, a: Schema.Top, b: Schema.Top]> = [
    ["a field's name", Schema.Struct(base), Schema.Struct({ a: Schema.String, c: Schema.Number })],
    ["a field's type", Schema.Struct(base), Schema.Struct({ ...base, b: Schema.String })],
    ["a field more", Schema.Struct(base), Schema.Struct({ ...base, c: Schema.String })],
    [
      "whether a field is optional",
      Schema.Struct(base),
      Schema.Struct({ ...base, b: Schema.optionalKey(Schema.Number) })
    ],
    ["whether a value may be undefined", Schema.optionalKey(Schema.String), Schema.optional(Schema.String)],
    ["a check", Schema.Number, Schema.Int],
    ["a check's parameter", Schema.String.check(Schema.isMinLength(1)), Schema.String.check(Schema.isMinLength(2))],
    ["a pattern", Schema.String.check(Schema.isPattern(/a/)), Schema.String.check(Schema.isPattern(/a/i))],
    ["a literal", Schema.Literal("a"), Schema.Literal("b")],
    ["a literal's type", Schema.Literal("1"), Schema.Literal(1)],
    ["a union's members", Schema.Union([Schema.String, Schema.Null]), Schema.Union([Schema.String, Schema.Number])],
    [
      "the order of a tuple",
      Schema.Tuple([Schema.String, Schema.Number]),
      Schema.Tuple([Schema.Number, Schema.String])
    ],
    ["the length of a tuple", Schema.Tuple([Schema.String]), Schema.Array(Schema.String)],
    [
      "the values of a record",
      Schema.Record(Schema.String, Schema.Number),
      Schema.Record(Schema.String, Schema.String)
    ],
    ["what it is encoded to", Schema.NumberFromString, Schema.Number],
    ["what it is decoded to", Schema.DateTimeUtcFromString, Schema.DateFromString],
    ["a parameter", Schema.Option(Schema.String), Schema.Option(Schema.Number)],
    ["the kind of a collection", Schema.HashSet(Schema.String), Schema.ReadonlySet(Schema.String)],
    [
      "the identifier of a class",
      class A extends Schema.Class<A>("app/A")(base) {},
      class B extends Schema.Class<B>("app/B")(base) {}
    ],
    ["a class or a struct", class C extends Schema.Class<C>("app/C")(base) {}, Schema.Struct(base)],
    ["an enum", Schema.Enum({ A: "a" } as const), Schema.Enum({ A: "b" } as const)],
    ["a template", Schema.TemplateLiteral(["a", Schema.Number]), Schema.TemplateLiteral(["b", Schema.Number])]
  ]
  it.each(changes)("distinguishes: %s", (_, a, b) => assert.notStrictEqual(fingerprint(a), fingerprint(b)))

  class One extends Schema.Class<One>("app/One")(base) {}
  const Other = class extends Schema.Class<One>("app/One")(base) {}
  const same: ReadonlyArray<readonly [what: string, a: Schema.Top, b: Schema.Top]> = [
    ["the order of fields", Schema.Struct(base), Schema.Struct({ b: Schema.Number, a: Schema.String })],
    ["descriptions", Schema.String, Schema.String.annotate({ description: "what people call it", title: "Name" })],
    [
      "defaults of constructors",
      Schema.Struct({ a: Schema.String }),
      Schema.Struct({ a: Schema.String.pipe(Schema.withConstructorDefault(Effect.succeed("x"))) })
    ],
    ["names in code", One, Other]
  ]
  it.each(same)("does not distinguish: %s", (_, a, b) => assert.strictEqual(fingerprint(a), fingerprint(b)))

  it("terminates for recursive schemas, and distinguishes them", () => {
    interface Tree<A> {
      readonly value: A
      readonly children: ReadonlyArray<Tree<A>>
    }
    const tree = <A>(value: Schema.Codec<A>) => {
      const Tree: Schema.Codec<Tree<A>> = Schema.Struct({ value, children: Schema.Array(Schema.suspend(() => Tree)) })
      return Tree
    }
    assert.strictEqual(layout(tree(Schema.Number)), "{children: [...#1], value: Number}")
    assert.strictEqual(fingerprint(tree(Schema.Number)), fingerprint(tree(Schema.Number)))
    assert.notStrictEqual(fingerprint(tree(Schema.Number)), fingerprint(tree(Schema.String)))
  })

  it("visits each part of a schema with shared parts once", () => {
    let schema: Schema.Top = Schema.String
    for (let i = 0; i < 60; i++) schema = Schema.Struct({ left: schema, right: schema })
    assert.isString(fingerprint(schema))
  })

  it("visits schemas that refer to each other once each", () => {
    const all: Array<Schema.Codec<unknown>> = []
    for (let i = 0; i < 24; i++) {
      const fields = Array.from({ length: 24 }, (_, j) => [`f${j}`, Schema.suspend(() => all[j]!)] as const)
      all.push(Schema.Struct({ [`own${i}`]: Schema.Number, ...Object.fromEntries(fields) }))
    }
    assert.isString(fingerprint(all[0]!))
  })

  it(
    "[C63] is the same in another process, and in a minified bundle of the same code",
    { timeout: 120_000 },
    async () => {
      const here = schemas.map((schema) => fingerprint(schema))
      const fixture = path.join(import.meta.dirname, "../fixtures/layout/main.ts")
      const run = (file: string): unknown => JSON.parse(cp.execFileSync(process.execPath, [file], { encoding: "utf8" }))
      assert.deepStrictEqual(run(fixture), here)
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), "flame-layout-"))
      try {
        const file = path.join(directory, "main.mjs")
        const bundle = await rolldown({ input: fixture, platform: "node", logLevel: "silent" })
        await bundle.write({ file, format: "esm", minify: true, codeSplitting: false })
        await bundle.close()
        assert.deepStrictEqual(run(file), here)
      } finally {
        fs.rmSync(directory, { recursive: true })
      }
    }
  )

  it("takes far less than a millisecond for a function", () => {
    for (const schema of schemas) fingerprint(schema)
    const start = performance.now()
    for (let i = 0; i < 100; i++) for (const schema of schemas) fingerprint(schema)
    assert.isBelow((performance.now() - start) / (100 * schemas.length), 1)
  })
})
