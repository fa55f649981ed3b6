import { assert, it } from "@effect/vitest"
import { EventReader } from "../../../src/cli/status/ServerEvents.ts"

it("events come whole, in whatever pieces their text arrives", () => {
  const text = 'event: status\ndata: {"a":\ndata: 1}\n\n: comment\n\nevent: event\r\ndata: x\r\n\r\ndata: last\n\nhalf'
  for (const size of [1, 3, 7, text.length]) {
    const reader = new EventReader()
    const found = []
    for (let at = 0; at < text.length; at += size) found.push(...reader.push(text.slice(at, at + size)))
    assert.deepStrictEqual(found, [
      { event: "status", data: '{"a":\n1}' },
      { event: "event", data: "x" },
      { event: "message", data: "last" }
    ])
  }
})
