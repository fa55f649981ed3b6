import { assert, describe, it } from "@effect/vitest"
import { Channel } from "../../src/wire/Channel.ts"
import { Kind } from "../../src/wire/Frame.ts"
import { Link } from "../../src/wire/Link.ts"
import { Outbox } from "../../src/wire/Outbox.ts"
import { OutgoingMessages } from "../../src/wire/Outgoing.ts"
import { ScriptedTransport } from "./ScriptedTransport.ts"

const KiB = 1024
const window = 128 * KiB

const sending = (ids: ReadonlyArray<number>, size: number) => {
  const transport = new ScriptedTransport()
  const outbox = new Outbox(transport)
  const flows = ids.map((id) => new OutgoingMessages(Kind.ItemsResponse, id, () => {}))
  for (const flow of flows) outbox.sendMessages(flow, Buffer.alloc(size))
  return { transport, outbox, flows }
}

describe("messages of several channels", () => {
  it("leave in turns while each has credit", () => {
    const { transport } = sending([1, 2], 96 * KiB)
    transport.settle()
    assert.deepStrictEqual(
      transport.frames().map(({ id }) => id),
      [1, 2, 1, 2, 1, 2]
    )
  })

  it("pass those that wait for credit, which leave once they get it", () => {
    const { flows, outbox, transport } = sending([1, 2, 3], window + 40 * KiB)
    transport.settle()
    const bytes = (id: number, frames: ReturnType<ScriptedTransport["frames"]>) =>
      frames.filter((frame) => frame.id === id).reduce((sum, { body }) => sum + body.length, 0)
    const first = transport.frames()
    for (const id of [1, 2, 3]) assert.strictEqual(bytes(id, first), window)
    // The last flow in line gets credit while the others are blocked.
    outbox.grantMessages(flows[2]!, 40 * KiB)
    transport.settle()
    assert.strictEqual(bytes(3, transport.frames()), 40 * KiB)
    for (const flow of [flows[0]!, flows[1]!]) outbox.grantMessages(flow, 40 * KiB)
    transport.settle()
    const last = transport.frames()
    for (const id of [1, 2]) assert.strictEqual(bytes(id, last), 40 * KiB)
    assert.strictEqual(outbox.unsent, 0)
  })
})

describe("the sender of a channel", () => {
  it("is called when its backlog has fallen to the low water mark, not before", () => {
    const transport = new ScriptedTransport()
    const link = new Link(transport, { message: () => {}, accept: () => "none", closed: () => {} })
    link.open()
    let calls = 0
    const channel = new Channel(
      { link, side: "runner", id: 1, limit: 1e9 },
      { batch: () => {}, large: () => {}, ready: () => calls++ }
    )
    assert.isFalse(channel.sendMessage(Buffer.alloc(window + 100 * KiB)))
    transport.settle()
    assert.strictEqual(calls, 0)
    // 100 KiB wait for credit. After 50 KiB of credit, 50 KiB are still above the low water mark of 32 KiB.
    channel.onGrant(50 * KiB)
    transport.settle()
    assert.strictEqual(calls, 0)
    assert.isFalse(channel.isReady)
    channel.onGrant(30 * KiB)
    transport.settle()
    assert.strictEqual(calls, 1)
    assert.isTrue(channel.isReady)
    assert.isAbove(channel.unsent, 0)
  })
})
