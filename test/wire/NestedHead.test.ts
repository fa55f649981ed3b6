import { assert, describe, it } from "@effect/vitest"
import * as NestedHead from "../../src/wire/NestedHead.ts"

const target = { pool: "app/Gpu", name: "größe", layout: "1-2-3", idempotent: true, cast: false, isUnbounded: true }
const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: true }

describe("the head of a Nested frame", () => {
  it("is decoded as it was encoded", () => {
    const head = NestedHead.encode(7, target, 1_500, span, { level: "Debug" })
    const read = NestedHead.decode(Buffer.concat([head, Buffer.from("payload")]))
    assert.isDefined(read)
    const { terms, ...rest } = read
    assert.deepStrictEqual(rest, { ...target, caller: 7, end: head.length })
    assert.deepInclude(terms, { budget: 1_500, span, extras: { level: "Debug" } })
  })

  it("is undefined if it is cut anywhere, or does not have three names", () => {
    const head = NestedHead.encode(7, target, 1_500, span, undefined)
    for (let end = 0; end < head.length; end++) assert.isUndefined(NestedHead.decode(head.subarray(0, end)))
    const odd = NestedHead.encode(7, { ...target, pool: "a\0b" }, undefined, undefined, undefined)
    assert.isUndefined(NestedHead.decode(odd))
    assert.isUndefined(
      NestedHead.decode(NestedHead.encode(7, { ...target, name: "" }, undefined, undefined, undefined))
    )
  })

  it("keeps targets apart whose names have equal lengths, however many were read", () => {
    for (let i = 0; i < 1_000; i++) {
      for (const flags of [{}, { cast: true }]) {
        const other = { ...target, ...flags, name: `größe${i + 1_000}` }
        const head = NestedHead.encode(i, other, undefined, undefined, undefined)
        assert.deepInclude(NestedHead.decode(head), { ...other, caller: i })
      }
    }
  })
})
