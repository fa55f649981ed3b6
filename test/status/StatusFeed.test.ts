import { assert, describe, it } from "@effect/vitest"
import type { Recorder } from "../../src/status/record/Recorder.ts"
import { StatusFeed } from "../../src/status/StatusFeed.ts"

/** A recorder whose documents have so many characters. */
const recorderOf = (size: number) => {
  const made = { documents: 0 }
  const recorder = {
    listeners: new Set(),
    document: () => {
      made.documents++
      return { text: "x".repeat(size) }
    }
  }
  return { made, recorder: recorder as unknown as Recorder }
}

describe("the feed of the status", () => {
  it("makes no document without a viewer, and one for all viewers [C307]", () => {
    const { made, recorder } = recorderOf(10)
    const feed = new StatusFeed(recorder, false)
    feed.tick()
    assert.strictEqual(made.documents, 0)
    const sent: Array<string> = []
    const leave = Array.from({ length: 100 }, () => feed.view((chunk) => void sent.push(String(chunk))))
    assert.deepStrictEqual([made.documents, sent.length], [1, 100])
    feed.tick()
    assert.deepStrictEqual([made.documents, sent.length], [2, 200])
    for (const end of leave) end()
    feed.tick()
    assert.deepStrictEqual([made.documents, feed.viewerCount], [2, 0])
  })

  it("sends large documents less often, so that all viewers together get 1 MB a second [C307]", () => {
    const { made, recorder } = recorderOf(99_900)
    const feed = new StatusFeed(recorder, false)
    for (let viewer = 0; viewer < 50; viewer++) feed.view(() => {})
    const before = made.documents
    for (let second = 0; second < 24; second++) feed.tick()
    // 5 MB for each status: one in five seconds
    assert.isAtMost(made.documents - before, 5)
    assert.isAtLeast(made.documents - before, 4)
  })

  it("gives a new viewer the latest 60 events [C307]", () => {
    const feed = new StatusFeed(recorderOf(1).recorder, false)
    for (let n = 0; n < 100; n++) feed.event({ at: n, pool: "p", tag: "BootStarted", text: "boots" })
    const sent: Array<string> = []
    feed.view((chunk) => void sent.push(String(chunk)))
    const events = sent.join("").match(/"at":\d+/g)
    assert.deepStrictEqual([events?.length, events?.at(-1)], [60, '"at":99'])
    feed.close()
  })
})
