import { assert, describe, it } from "@effect/vitest"
import { fitting } from "../../src/wire/Annotations.ts"
import { encodeLine } from "../../src/wire/LogLine.ts"
import { decodeHead, encodeHead } from "../../src/wire/Request.ts"

const cyclic: Record<string, unknown> = {}
cyclic["me"] = cyclic

const throwing = Object.defineProperty({ requestId: "r1" }, "bad", {
  enumerable: true,
  get: () => {
    throw new Error("no")
  }
})

/** The annotations of a call as its function sees them. */
const crossed = (annotations: Readonly<Record<string, unknown>>) =>
  decodeHead(Buffer.from(encodeHead(1, undefined, undefined, { annotations })))?.extras?.annotations

describe("log annotations [C133]", () => {
  it.each([
    { name: "a cyclic one", annotations: { requestId: "r1", o: cyclic }, dropped: "o" },
    { name: "a large one", annotations: { requestId: "r1", body: "x".repeat(9_000), n: 1 }, dropped: "body" },
    { name: "one that throws", annotations: throwing, dropped: "bad" }
  ])("of a call cross without $name, whose key is named", ({ annotations, dropped }) => {
    const { [dropped]: _, ...others } = Object.getOwnPropertyDescriptors(annotations)
    const expected = Object.fromEntries(Object.entries(others).map(([key, { value }]) => [key, value as unknown]))
    assert.deepStrictEqual(crossed(annotations), { ...expected, "flame.dropped": dropped })
  })

  it("of a call cross as text if JSON cannot hold them", () => {
    const tag = () => 1
    assert.deepStrictEqual(crossed({ id: 10n, tag }), { id: "10n", tag: String(tag) })
  })

  it("of a log line stay with the line, also when the line is cut", () => {
    const annotations = { requestId: "r1", o: cyclic }
    const line = { level: "Info" as const, at: 1, message: ["hi"], annotations }
    const kept = { requestId: "r1", "flame.dropped": "o" }
    assert.deepStrictEqual(JSON.parse(encodeLine(line)), { ...line, annotations: kept })
    const cut = JSON.parse(encodeLine({ ...line, message: ["x".repeat(20_000)] })) as typeof line
    assert.deepStrictEqual(cut.annotations, kept as never)
  })

  it("that do not fit are left out, largest first", () => {
    const kept = fitting({ a: "x".repeat(500), b: "x".repeat(3_000), c: "x".repeat(600) }, 2_048)
    assert.deepStrictEqual(Object.keys(kept), ["a", "c", "flame.dropped"])
  })
})
