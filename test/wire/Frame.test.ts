import { assert, describe, it } from "@effect/vitest"
import { NotARunner } from "../../src/error/BootFailure.ts"
import { encode, fail, isFinal, json, Kind, kindName } from "../../src/wire/Frame.ts"
import { framesOf, int, noise, withSeeds } from "./kit.ts"

describe("the writer of frames", () => {
  it("encodes frames that the parser finds", () => {
    withSeeds(50, (random, seed) => {
      const id = random() < 0.2 ? 0xffffffff : int(random, 0, 70_000)
      const body = noise(int(random, 0, 4_096), seed)
      assert.deepStrictEqual(framesOf(encode(Kind.Success, id, body)), [{ kind: Kind.Success, id, body }])
    })
  })

  it("encodes in one frame why a process is no runner", () => {
    const [only] = framesOf(fail(new NotARunner({ detail: "no" })))
    assert.deepStrictEqual({ kind: only?.kind, id: only?.id }, { kind: Kind.Fail, id: 0 })
    assert.deepStrictEqual(JSON.parse(String(only?.body)), { _tag: "NotARunner", detail: "no" })
  })

  it("has a distinct number for every kind", () => {
    const kinds = Object.values(Kind)
    assert.strictEqual(new Set(kinds).size, kinds.length)
    assert.deepStrictEqual(kinds.map(kindName), Object.keys(Kind))
    assert.strictEqual(kindName(77), "unknown kind 77")
    assert.deepStrictEqual(kinds.filter(isFinal).map(kindName), [
      "Success",
      "Failure",
      "Defect",
      "Interrupted",
      "Refused"
    ])
  })

  it("writes JSON as UTF-8", () => {
    assert.deepStrictEqual(JSON.parse(json({ ü: "🔥" }).toString("utf8")), { ü: "🔥" })
  })
})
