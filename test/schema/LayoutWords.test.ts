import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"
import { VersionMismatch } from "../../src/error/BootFailure.ts"
import { differences, wordsOf } from "../../src/schema/LayoutWords.ts"
import { layoutMismatch } from "../../src/wire/Handshake.ts"

class User extends Schema.Class<User>("User")({ id: Schema.String, age: Schema.optionalKey(Schema.Number) }) {}

const of = (payload: Schema.Struct.Fields, success: Schema.Codec<unknown, unknown> = Schema.Void) =>
  Flame.contract("save", { payload: payload as { readonly text: Schema.String }, success })
const ours = of({ id: Schema.String, user: User, tags: Schema.Array(Schema.String) })

const mismatch = (theirs: object, words = [wordsOf(theirs)]) =>
  layoutMismatch(
    "save",
    "1-2-3",
    ours,
    { protocol: 1, build: "b2", runner: "r", life: "l", functions: [["save", "1-2-4"]], words },
    0
  )

describe("the layout of a function in words", () => {
  it("has a line for each field, with those of classes and of fields within fields [C63]", () => {
    assert.deepStrictEqual(wordsOf(ours), [
      "result: one value",
      "payload.id: String",
      "payload.user.id: String",
      "payload.user.age?: Number",
      "payload.tags: [...String]",
      "success: Void",
      "error: Never"
    ])
  })

  it("names the function, the field and its type on both sides in a refusal [C63]", () => {
    const theirs = of({
      id: Schema.Number,
      user: Schema.Struct({ id: Schema.String }),
      tags: Schema.Array(Schema.String)
    })
    const refusal = mismatch(theirs)
    assert.deepStrictEqual(
      refusal,
      new VersionMismatch({
        what: "the schemas of save",
        parent: "layout 1-2-3 with payload.id: String, payload.user.age?: Number",
        runner: "layout 1-2-4 (build b2) with payload.id: Number, no payload.user.age"
      })
    )
    assert.include(refusal.message, "save")
  })

  it("tells a stream from one value [C63]", () => {
    const stream = { ...ours, payload: ours.payload, success: ours.success, error: ours.error, stream: true }
    assert.strictEqual(differences(wordsOf(ours), wordsOf(stream)), "result: one value")
    assert.strictEqual(differences(wordsOf(stream), wordsOf(ours)), "result: a stream")
  })

  it("is bounded, and has no control characters of a peer [C63]", () => {
    const fields = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, Schema.String]))
    assert.isAtMost(wordsOf(of(fields)).length, 32)
    const hostile = mismatch(ours, [
      Array.from({ length: 1_000 }, (_, i) => `payload.x${i}: \u001b[31m${"y".repeat(500)}`)
    ])
    assert.isBelow(hostile.message.length, 2_000)
    assert.notInclude(hostile.message, "\u001b")
  })

  it("is left out where a side is known by its hash only [C63]", () => {
    assert.deepStrictEqual(
      [mismatch(ours, []).parent, mismatch(ours, []).runner],
      ["layout 1-2-3", "layout 1-2-4 (build b2)"]
    )
    assert.deepStrictEqual(wordsOf({ name: "save", layout: "1-2-3" }), [])
  })
})
