import { assert, describe, it } from "@effect/vitest"
import { clipPainted, painter, table, wrapped } from "../../../src/cli/screen/Style.ts"

const plain = painter(false)

describe("tables [C480]", () => {
  it("figures are aligned to the right, and texts to the left", () => {
    const lines = table(
      plain,
      ["NAME", "CALLS", "AGE", "DETAIL"],
      [
        ["one", "7", "420ms", "a"],
        ["three", "1234", "-", "b"]
      ]
    )
    assert.deepStrictEqual(lines, ["NAME   CALLS    AGE  DETAIL", "one        7  420ms  a", "three   1234      -  b"])
  })

  it("a column with one text among its figures is aligned to the left", () => {
    const lines = table(
      plain,
      ["WHERE", "X"],
      [
        ["7", ""],
        ["node1", ""]
      ]
    )
    assert.deepStrictEqual(lines, ["WHERE  X", "7", "node1"])
  })

  it("a text without room is cut, and follows whole below the first row that has it", () => {
    const why = "0/2 nodes are available: 2 Insufficient memory"
    const rows = [
      ["app-1", why],
      ["app-2", why]
    ]
    assert.deepStrictEqual(table(plain, ["RUNNER", "DETAIL"], rows, 30, true), [
      "RUNNER  DETAIL",
      "app-1",
      "    0/2 nodes are available: 2",
      "    Insufficient memory",
      "app-2   0/2 nodes are avail..."
    ])
    assert.lengthOf(table(plain, ["RUNNER", "DETAIL"], rows, 30), 3)
    assert.include(table(plain, ["RUNNER", "DETAIL"], rows)[1], why)
  })
})

describe("lines of a terminal [C480]", () => {
  it("a text is split at its spaces, and a word without room is cut", () => {
    assert.deepStrictEqual(wrapped("the runner waits for extraordinarily much", 10), [
      "the runner",
      "waits for",
      "extraordin",
      "arily much"
    ])
    assert.deepStrictEqual(wrapped("the runner", Infinity), ["the runner"])
  })

  it("a painted line is cut by its visible characters, and its look ends with it", () => {
    const paint = painter(true)
    const line = `${paint("bold", "shop")}  ${paint("bad", "failing")}`
    assert.strictEqual(clipPainted(line, 8), `${paint("bold", "shop")}  ${paint("bad", "fa")}`)
  })
})

it("a text is wrapped in a terminal of any width, also in one that says 0", () => {
  for (const width of [1, 0, -4]) assert.deepStrictEqual(wrapped("ab c", width), ["a", "b", "c"])
  assert.lengthOf(table(plain, ["RUNNER", "DETAIL"], [["app-1", "0/2 nodes are available"]], 0, true), 22)
})
