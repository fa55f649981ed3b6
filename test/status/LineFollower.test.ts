import { assert, describe, it } from "@effect/vitest"
import { LineFollower } from "../../src/status/LineFollower.ts"
import { until } from "../fixtures/process/processes.ts"

/** A viewer that accepts chunks while `isFast`. */
const viewer = () => {
  const made = { isFast: true, chunks: [] as Array<string>, refused: 0 }
  const follower = new LineFollower((chunk) => {
    if (made.isFast) made.chunks.push(String(chunk))
    else made.refused++
    return made.isFast
  })
  return { made, follower }
}

describe("the lines of a viewer", () => {
  it("that come in one turn are one chunk [C319]", async () => {
    const { follower, made } = viewer()
    for (let n = 0; n < 200; n++) follower.add(`${n}\n`)
    await until(() => made.chunks.length > 0, "a chunk is sent")
    assert.deepStrictEqual(made.chunks, [Array.from({ length: 200 }, (_, n) => `${n}\n`).join("")])
  })

  it("that were dropped are counted in a line, also if no further line comes [C319]", async () => {
    const { follower, made } = viewer()
    made.isFast = false
    follower.add("a\n")
    await until(() => made.refused > 0, "a line is refused")
    follower.add("b\n")
    await until(() => made.refused > 1, "another line is refused")
    made.isFast = true
    await until(() => made.chunks.length > 0, "the note is sent")
    follower.add("c\n")
    await until(() => made.chunks.length > 1, "the next line is sent")
    const [note, next] = made.chunks
    assert.deepInclude(JSON.parse(note!), {
      level: "Warn",
      message: "2 lines were dropped here: this viewer reads too slowly",
      dropped: 2
    })
    assert.strictEqual(next, "c\n")
  })

  it("of a long turn are sent before its end", () => {
    const { follower, made } = viewer()
    for (let n = 0; n < 100; n++) follower.add(`${"x".repeat(1_023)}\n`)
    assert.strictEqual(made.chunks[0]?.length, 64 * 1_024)
    follower.close()
  })
})
