import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { HeldLines } from "../../src/backend/HeldLines.ts"

describe("lines of stderr", () => {
  const logged: Array<string> = []
  const make = (...lines: ReadonlyArray<string>) => {
    const held = new HeldLines((line) => logged.push(line))
    for (const line of lines) held.push(line)
    return held
  }
  beforeEach(() => {
    logged.length = 0
    vi.useFakeTimers()
  })
  afterEach(() => void vi.useRealTimers())

  it("are logged each for itself, a moment later, while the runner goes on [C249]", () => {
    make("one", "two")
    assert.deepStrictEqual(logged, [])
    vi.advanceTimersByTime(100)
    assert.deepStrictEqual(logged, ["one", "two"])
  })

  it("are held until the end of a process that Node ends for an exception, however long that takes [C249]", () => {
    const held = make("Error: boom", "Node.js v24.1.0")
    vi.advanceTimersByTime(4_999)
    assert.deepStrictEqual(logged, [])
    held.keep()
    held.rest()
    assert.deepStrictEqual(logged.splice(0), ["Error: boom\n  Node.js v24.1.0"])
    make("Error: boom", "Node.js v24.1.0", "a program may write that too")
    vi.advanceTimersByTime(5_000)
    assert.strictEqual(logged.length, 3)
  })

  it("of a crash are one entry where no report has them, and none where one has [C249]", () => {
    for (const isReported of [true, false]) {
      const held = make("Error: boom", "    at a")
      held.keep()
      held.push("Node.js v24")
      vi.advanceTimersByTime(10_000)
      assert.deepStrictEqual(logged, [])
      if (isReported) held.reported()
      held.rest()
      assert.deepStrictEqual(logged.splice(0), isReported ? [] : ["Error: boom\n      at a\n  Node.js v24"])
    }
  })

  it("before the twenty that a report has are logged with it, and a flood is not held [C249]", () => {
    const held = make(...Array.from({ length: 25 }, (_, i) => `${i}`))
    held.keep()
    held.reported()
    assert.deepStrictEqual(logged.splice(0), ["0\n  1\n  2\n  3\n  4"])
    make(...Array.from({ length: 201 }, (_, i) => `${i}`))
    assert.strictEqual(logged.length, 201)
  })
})
