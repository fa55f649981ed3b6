import { assert, describe, it } from "@effect/vitest"
import { OpenIds } from "../../src/wire/OpenIds.ts"

describe("OpenIds", () => {
  it("reuses an id only after it is free", () => {
    const open = new OpenIds<string>()
    const [a, b] = [open.add("a"), open.add("b")]
    assert.notStrictEqual(a, b)
    assert.strictEqual(open.size, 2)
    open.delete(a)
    open.delete(a)
    assert.isUndefined(open.get(a))
    assert.strictEqual(open.size, 1)
    assert.strictEqual(open.next, a)
    assert.strictEqual(open.add("c"), a)
    assert.deepStrictEqual([...open], ["c", "b"])
    assert.notInclude([a, b], open.add("d"))
  })

  it("never uses id 0, and finds nothing under ids that it never gave", () => {
    const open = new OpenIds<string>()
    assert.isAbove(open.add("a"), 0)
    for (const id of [0, 2, 2 ** 32 - 1]) {
      open.delete(id)
      assert.isUndefined(open.get(id))
    }
    assert.strictEqual(open.size, 1)
    open.clear()
    assert.strictEqual(open.size, 0)
    assert.deepStrictEqual([...open], [])
  })
})
