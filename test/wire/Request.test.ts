import { assert, describe, it } from "@effect/vitest"
import { decodeHead, encodeHead, type Extras, type SpanIds } from "../../src/wire/Request.ts"
import type { Random } from "../simulation/Random.ts"
import { int, noise, withSeeds } from "./kit.ts"

const hex = (random: Random, digits: number) =>
  Array.from({ length: digits }, () => int(random, 0, 15).toString(16)).join("")

const randomSpan = (random: Random): SpanIds => ({
  traceId: hex(random, 32),
  spanId: hex(random, 16),
  sampled: random() < 0.5
})

const randomExtras = (random: Random): Extras => ({
  ...(random() < 0.5 ? { annotations: { user: "ü".repeat(int(random, 0, 300)), n: int(random, -5, 5) } } : {}),
  ...(random() < 0.5 ? { level: "Debug" } : {}),
  ...(random() < 0.5 ? { references: { "app/Tenant": { a: [1, null, "🔥"] } } } : {})
})

// The encoded head is a view of memory that the next one overwrites.
const encoded = (...args: Parameters<typeof encodeHead>): Buffer => Buffer.from(encodeHead(...args))

const span: SpanIds = { traceId: "0123456789abcdef".repeat(2), spanId: "fedcba9876543210", sampled: true }

describe("the head of a Request", () => {
  it("is decoded as it was encoded, with any of its optional parts", () => {
    withSeeds(500, (random, seed) => {
      const functionIndex = int(random, 0, 0xffff)
      const budget = random() < 0.5 ? undefined : int(random, 0, 0xffffffff)
      const someSpan = random() < 0.5 ? undefined : randomSpan(random)
      const extras = random() < 0.5 ? undefined : randomExtras(random)
      const isTimed = random() < 0.5
      const head = encoded(functionIndex, budget, someSpan, extras, isTimed)
      const payload = noise(int(random, 0, 50), seed)
      assert.deepStrictEqual(decodeHead(Buffer.concat([head, payload])), {
        functionIndex,
        budget,
        span: someSpan,
        extras,
        isTimed,
        isNested: false,
        end: head.length
      })
    })
  })

  it("has three bytes if it holds the function only", () => {
    assert.strictEqual(encodeHead(7, undefined, undefined, undefined).length, 3)
  })

  it("has a budget in whole milliseconds, rounded up, never below 0 nor above what fits", () => {
    const budgets = [0.2, 1, 1.5, 0, -3, 2 ** 32, Infinity].map(
      (budget) => decodeHead(encoded(0, budget, undefined, undefined))?.budget
    )
    assert.deepStrictEqual(budgets, [1, 1, 2, 0, 0, 0xffffffff, 0xffffffff])
  })

  it("is undefined if it is cut at any length", () => {
    const head = encoded(1, 1_000, span, { annotations: { a: 1 } })
    for (let length = 0; length < head.length; length++) {
      assert.isUndefined(decodeHead(head.subarray(0, length)), `${length} of ${head.length} bytes`)
    }
    assert.isDefined(decodeHead(head))
  })

  it("is undefined if it has unknown flags", () => {
    for (const flags of [32, 64, 128, 255]) assert.isUndefined(decodeHead(Buffer.from([0, 1, flags, ...noise(60, 1)])))
  })

  it("is undefined if its extras are malformed", () => {
    const withExtras = (text: string) =>
      decodeHead(Buffer.concat([Buffer.from([0, 1, 4]), Buffer.from([0, Buffer.byteLength(text)]), Buffer.from(text)]))
    assert.deepStrictEqual(withExtras("{}")?.extras, {})
    const wrong = [
      "",
      "{",
      "null",
      "1",
      `"text"`,
      "[]",
      `{"annotations":null}`,
      `{"annotations":"abc"}`,
      `{"annotations":[1]}`,
      `{"references":null}`,
      `{"references":"abc"}`,
      `{"level":1}`,
      `{"level":"Loud"}`,
      "\xff\xfe"
    ]
    for (const text of wrong) assert.isUndefined(withExtras(text), text)
  })

  it("names an annotation that is too large or that JSON cannot hold in its place, and keeps the others", () => {
    const circular: Record<string, unknown> = {}
    circular.self = circular
    for (const value of ["x".repeat(9_000), circular]) {
      const head = encoded(1, 5, span, { annotations: { value }, level: "Debug", references: { "app/Tenant": "acme" } })
      assert.deepStrictEqual(decodeHead(head), {
        functionIndex: 1,
        budget: 5,
        span,
        extras: { annotations: { "flame.dropped": "value" }, level: "Debug", references: { "app/Tenant": "acme" } },
        isTimed: false,
        isNested: false,
        end: head.length
      })
    }
  })

  it("leaves out References that are too large", () => {
    const head = encoded(1, undefined, undefined, { level: "Debug", references: { "app/Tenant": "x".repeat(9_000) } })
    assert.deepStrictEqual(decodeHead(head)?.extras, undefined)
  })

  it("has room for exactly 8 KiB of extras beside everything else", () => {
    const text = "x".repeat(8 * 1024 - JSON.stringify({ annotations: { t: "" } }).length)
    for (const [t, crosses] of [
      [text, true],
      [`${text}y`, false]
    ] as const) {
      const head = decodeHead(encoded(1, 1, span, { annotations: { t } }))
      assert.strictEqual(head?.extras?.annotations?.t === t, crosses)
    }
  })

  it("leaves out a span whose ids are not valid under W3C Trace Context", () => {
    encodeHead(1, undefined, { ...span, traceId: "ff".repeat(16), spanId: "ee".repeat(8) }, undefined)
    for (const ids of [
      { traceId: "12" },
      { traceId: "" },
      { spanId: "99" },
      { traceId: "z".repeat(32) },
      { spanId: "1".repeat(15) }
    ]) {
      const head = encoded(1, 9, { ...span, ...ids }, undefined)
      assert.deepStrictEqual(decodeHead(head), {
        functionIndex: 1,
        budget: 9,
        span: undefined,
        extras: undefined,
        isTimed: false,
        isNested: false,
        end: 7
      })
    }
  })

  it("keeps an annotation called __proto__ a plain key", () => {
    const text = `{"annotations":{"__proto__":{"polluted":true}}}`
    const head = decodeHead(Buffer.concat([Buffer.from([0, 1, 4, 0, text.length]), Buffer.from(text)]))
    assert.isDefined(head?.extras?.annotations)
    assert.isUndefined(head?.extras?.annotations?.["polluted"])
    assert.isUndefined(({} as { polluted?: boolean }).polluted)
  })
})
