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

/** A channel of which 100 KiB wait for credit, and the number of times that its sender was called. */
const full = () => {
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
  return { calls: () => calls, channel, transport }
}

describe("the sender of a channel", () => {
  it("is called when its backlog has fallen to the low water mark, not before", () => {
    const { calls, channel, transport } = full()
    assert.strictEqual(calls(), 0)
    // 100 KiB wait for credit. After 50 KiB of credit, 50 KiB are still above the low water mark of 32 KiB.
    channel.onGrant(50 * KiB)
    transport.settle()
    assert.strictEqual(calls(), 0)
    assert.isFalse(channel.isReady)
    channel.onGrant(30 * KiB)
    transport.settle()
    assert.strictEqual(calls(), 1)
    assert.isTrue(channel.isReady)
    assert.isAbove(channel.unsent, 0)
  })

  it("is called also if somebody else has sent a little above the low water mark", () => {
    const { calls, channel, transport } = full()
    channel.onGrant(50 * KiB)
    transport.settle()
    assert.isFalse(channel.sendMessage(Buffer.alloc(10)))
    assert.isFalse(channel.isReady)
    channel.onGrant(60 * KiB)
    transport.settle()
    assert.deepStrictEqual([calls(), channel.unsent, channel.isReady], [1, 0, true])
  })
})

describe("the messages of a channel", () => {
  it("are not kept once they are sent, also where others always wait behind them", () => {
    const messages = new OutgoingMessages(Kind.ItemsResponse, 1, () => {})
    const got: Array<Uint8Array> = []
    const made = (n: number) => Buffer.alloc(9 * KiB, n)
    messages.push(made(0))
    for (let n = 1; n <= 2_000; n++) {
      messages.push(made(n))
      messages.take(n % 2 === 0 ? 10 * KiB : 8 * KiB, got)
    }
    const { pieces } = messages as unknown as { readonly pieces: ReadonlyArray<Uint8Array> }
    assert.isAtMost(pieces.length, 40)
    messages.take(messages.left, got)
    assert.isTrue(Buffer.concat(got).equals(Buffer.concat(Array.from({ length: 2_001 }, (_, n) => made(n)))))
  })
})
