import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import * as Propagate from "../../src/function/Propagate.ts"

const Tenant = Context.Reference<string>("test/Propagate/Tenant", { defaultValue: () => "nobody" })
const Since = Context.Reference<DateTime.Utc | undefined>("test/Propagate/Since", { defaultValue: () => undefined })
const Limit = Context.Reference<number>("test/Propagate/Limit", { defaultValue: () => 5 })
const Silent = Context.Reference<string>("test/Propagate/Silent", { defaultValue: () => "quiet" })

const since = DateTime.makeUnsafe("2026-01-02T03:04:05Z")

// Sends the References of a context through the head of a call.
const crossed = (context: Context.Context<never>): unknown => {
  const collected = Propagate.collect(context)
  return collected === undefined ? undefined : Propagate.restore(JSON.parse(JSON.stringify(collected)))
}

describe("Propagate", () => {
  it("sends nothing until a Reference is registered", () => {
    assert.strictEqual(Propagate.registered.size, 0)
    assert.isUndefined(Propagate.collect(Context.make(Tenant, "acme")))
    Propagate.propagate(Tenant, Schema.String)
    Propagate.propagate(Since, Schema.UndefinedOr(Schema.DateTimeUtc))
    Propagate.propagate(Limit, Schema.Int)
    assert.strictEqual(Propagate.registered.size, 3)
  })

  it("collects the values that are set, by the References' keys and as JSON", () => {
    const context = Context.make(Tenant, "acme").pipe(Context.add(Since, since))
    assert.deepStrictEqual(Propagate.collect(context), {
      [Tenant.key]: "acme",
      [Since.key]: "2026-01-02T03:04:05.000Z"
    })
  })

  it("collects no value that is not set or not registered", () => {
    assert.isUndefined(Propagate.collect(Context.empty()))
    assert.isUndefined(Propagate.collect(Context.make(Silent, "loud")))
  })

  it("restores the values", () => {
    const context = Context.make(Tenant, "ünïcode 🔥").pipe(Context.add(Since, since))
    assert.deepStrictEqual(crossed(context), [
      [Tenant, "ünïcode 🔥"],
      [Since, since]
    ])
  })

  it("leaves out a value that its schema cannot encode, and keeps the others", () => {
    const context = Context.make(Tenant, "acme").pipe(Context.add(Limit, 1.5))
    assert.deepStrictEqual(Propagate.collect(context), { [Tenant.key]: "acme" })
    assert.isUndefined(Propagate.collect(Context.make(Limit, 1.5)))
  })

  it("leaves out unknown References and values that do not fit, and keeps the others", () => {
    const restored: unknown = Propagate.restore({
      "somebody/else": 1,
      [Limit.key]: "many",
      [Tenant.key]: "acme",
      toString: 1,
      __proto__: { a: 1 }
    })
    assert.deepStrictEqual(restored, [[Tenant, "acme"]])
    assert.deepStrictEqual(Propagate.restore(JSON.parse(`{"__proto__":{"a":1},"constructor":1}`)), [])
  })

  it("identifies a Reference by its key: the schema registered last applies", () => {
    Propagate.propagate(Limit, Schema.Finite)
    assert.deepStrictEqual(crossed(Context.make(Limit, 1.5)), [[Limit, 1.5]])
  })
})
