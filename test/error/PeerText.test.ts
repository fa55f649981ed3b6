import { assert, describe, it } from "@effect/vitest"
import { isPrintable, printable, printableLine, printableValue } from "../../src/error/PeerText.ts"
import * as Random from "../simulation/Random.ts"

const forged =
  'before\u001b[2J\u001b]0;owned\u0007\u001b]52;c;ZWNobw==\u0007\rlevel=INFO message="forged" \u0008\u0008\u0085next\u2028sep\u202ertl\u009b31m\u2066x\u2069\u200fy\u0000after'

describe("text of a peer", () => {
  it("loses characters that could forge a log line or rewrite a terminal [C200]", () => {
    assert.strictEqual(printableLine(forged), 'before level=INFO message="forged" nextseprtl31mxyafter')
    assert.strictEqual(printable(`a\tb\r\n${forged}\n`).split("\n").length, 3)
    assert.strictEqual(printable("a\tb\r\nc"), "a  b\nc")
    assert.strictEqual(printableLine("one\n\n  two \n three"), "one two three")
  })

  it("loses colours and keeps letters", () => {
    assert.strictEqual(printable("\u001b[31mrot\u001b[0m und grün, 日本, 😀"), "rot und grün, 日本, 😀")
    assert.strictEqual(printable("\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\"), "link")
    assert.strictEqual(printable("\u001bP unfinished"), "")
    assert.strictEqual(printable("\u001b"), "")
  })

  it("is printable, whatever its bytes [C200]", () => {
    const random = Random.make(1)
    const alphabet = [...forged, "\n", "\r", "\t", "\u001b[", "\u001b]", "\u061c", "\ud800", "ä"]
    for (let run = 0; run < 20_000; run++) {
      const length = Math.floor(random() * 12)
      const text = Array.from({ length }, () => Random.pick(alphabet, random()) ?? "").join("")
      assert.isTrue(isPrintable(printableLine(text)))
      for (const line of printable(text).split("\n")) assert.isTrue(isPrintable(line))
    }
  })

  it("is cut, and cleaned in time linear in its length", () => {
    assert.strictEqual(printable("x".repeat(20_000)).length, 16 * 1024)
    assert.strictEqual(printableLine("x".repeat(300), 200), `${"x".repeat(197)}...`)
    const began = process.cpuUsage()
    for (const piece of [" ", "\u001b", "\u001b]", "\u001b[", "\n", "\u001b[0", "\t", "\u202e"]) {
      const text = piece.repeat(1_000_000 / piece.length)
      printable(text, 1_000_000)
      printableLine(text, 1_000_000)
    }
    // Quadratic time would take minutes.
    const { system, user } = process.cpuUsage(began)
    assert.isBelow((system + user) / 1000, 30_000)
  })

  it("is cleaned in keys and at any depth", () => {
    const dirty = { "a\u001b[2J": ["x\u202e", { "__pro\u0000to__": 1, n: 1, b: true, z: null }] }
    assert.deepStrictEqual(printableValue(dirty), { a: ["x", { n: 1, b: true, z: null }] })
    let deep: unknown = "bottom"
    for (let i = 0; i < 100_000; i++) deep = [deep]
    assert.include(JSON.stringify(printableValue(deep)), '"..."')
  })
})
