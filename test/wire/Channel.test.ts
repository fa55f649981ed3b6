import { assert, describe, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Channel, type ChannelHandlers } from "../../src/wire/Channel.ts"
import { encode, Kind } from "../../src/wire/Frame.ts"
import { Link } from "../../src/wire/Link.ts"
import { fromDuplex, memoryPair, type Transport } from "../../src/wire/Transport.ts"
import { eachMessage, lengthOf } from "../../src/schema/Varint.ts"
import * as Random from "../simulation/Random.ts"
import { int, noise } from "./kit.ts"
import { socketPair, until } from "./network/sockets.ts"

const KiB = 1024
const id = 7

interface End {
  readonly channel: Channel
  readonly link: Link
  readonly got: Array<Buffer>
  /** The violations that ended the session. */
  readonly closed: Array<string | undefined>
  ready: number
  /** Uses all messages that have arrived. */
  readonly use: () => void
}

/** An end of a channel that keeps messages until the test uses them. */
const end = (transport: Transport, side: "parent" | "runner", options: { readonly limit?: number } = {}): End => {
  const got: Array<Buffer> = []
  const closed: Array<string | undefined> = []
  let held = 0
  const handlers: ChannelHandlers = {
    batch: (messages) => {
      eachMessage(messages, (message) => got.push(Buffer.from(message)))
      held += messages.length
    },
    large: (message) => {
      got.push(Buffer.from(message))
      held += message.length
    },
    ready: () => void own.ready++
  }
  const link = new Link(transport, {
    message: () => {},
    accept: () => undefined,
    items: (_kind, _id, bytes) => channel.onItems(bytes),
    grant: (_kind, _id, more) => channel.onGrant(more),
    closed: ({ violation }) => void closed.push(violation)
  })
  const channel = new Channel({ link, side, id, limit: options.limit ?? 2 ** 30 }, handlers)
  const use = () => {
    const n = held
    held = 0
    if (n > 0) channel.consumed(n)
  }
  const own: End = { channel, link, got, closed, ready: 0, use }
  link.open()
  return own
}

const pair = (options: { readonly limit?: number } = {}) => {
  const [left, right] = memoryPair()
  return [end(left, "parent", options), end(right, "runner", options)] as const
}

const settled = () => new Promise((resolve) => setImmediate(resolve))
const framed = (message: Uint8Array) => Buffer.concat([lengthOf(message.length), message])
const total = (messages: ReadonlyArray<Buffer>) => messages.reduce((sum, { length }) => sum + length, 0)

describe("a channel", () => {
  it("carries messages of all sizes both ways, in order", async () => {
    const [parent, runner] = pair()
    const sizes = [0, 1, 127, 128, 0, 8_191, 8_192, 8_193, 16_384, 16_385, 32_768, 300_000, 5, 2_000_000, 0]
    const sent = sizes.map((size, i) => noise(size, i))
    for (const message of sent) {
      parent.channel.sendMessage(message)
      runner.channel.sendMessage(message)
    }
    for (let i = 0; i < 2_000 && (parent.got.length < sent.length || runner.got.length < sent.length); i++) {
      parent.use()
      runner.use()
      await settled()
    }
    assert.deepStrictEqual(
      parent.got,
      sent.map((message) => Buffer.from(message))
    )
    assert.deepStrictEqual(runner.got, parent.got)
  })

  it("lets its sender be ahead by at most the window, and to go on when messages are used", async () => {
    const [parent, runner] = pair()
    const message = noise(1_000, 1)
    let sent = 0
    while (runner.channel.sendMessage(message)) sent++
    await settled()
    await settled()
    assert.isAtMost(total(parent.got), 128 * KiB)
    assert.isAtLeast(total(parent.got), 126 * KiB)
    // The rest waits at the sender, which was told to wait.
    assert.isAtMost(sent * 1_000, (128 + 66) * KiB)
    assert.strictEqual(runner.ready, 0)
    parent.use()
    await settled()
    await settled()
    assert.strictEqual(runner.ready, 1)
    assert.lengthOf(parent.got, sent + 1)
  })

  it("grows its window only while its user keeps up and nothing else arrives", async () => {
    const ahead = async (beside: boolean) => {
      const [parent, runner] = pair()
      const message = noise(4_000, 1)
      const send = async () => {
        if (beside) runner.link.control(Kind.Interrupted, 99)
        while (runner.channel.sendMessage(message));
        await settled()
      }
      for (let i = 0; i < 100; i++) {
        await send()
        parent.use()
      }
      const before = parent.got.length
      for (let i = 0; i < 200; i++) await send()
      return total(parent.got.slice(before))
    }
    assert.isAtLeast(await ahead(false), 1_024 * KiB)
    assert.isAtMost(await ahead(true), 128 * KiB)
  })

  it("reports when all is handed over, or dropped", async () => {
    const [, runner] = pair()
    const told: Array<string> = []
    runner.channel.flushed(() => told.push("nothing to send"))
    for (let i = 0; i < 500; i++) runner.channel.sendMessage(noise(1_000, 1))
    runner.channel.flushed(() => told.push("flushed"))
    await settled()
    await settled()
    assert.deepStrictEqual(told, ["nothing to send"])
    runner.channel.dropUnsent()
    assert.deepStrictEqual(told, ["nothing to send", "flushed"])
    assert.isTrue(runner.channel.dropped)
    assert.isTrue(runner.channel.sendMessage(noise(10, 1)))
  })

  it("does not hold back frames of other calls", async () => {
    const [parent, runner] = pair()
    let frames = 0
    const link = parent.link as unknown as { handlers: { message: () => void } }
    link.handlers = { ...link.handlers, message: () => void frames++ }
    for (let i = 0; i < 500; i++) runner.channel.sendMessage(noise(1_000, 1))
    runner.link.control(Kind.Pong, 0)
    await settled()
    assert.strictEqual(frames, 1)
  })

  it.effect("delivers what was sent, however it is cut and used", () =>
    Effect.gen(function* () {
      const random = Random.make(5)
      for (let round = 0; round < 15; round++) {
        const [left, right] = yield* socketPair("unix")
        const parent = end(fromDuplex(left), "parent")
        const runner = end(fromDuplex(right), "runner")
        const sent: Array<Buffer> = []
        const exchange = async () => {
          for (let turn = 0; turn < 30; turn++) {
            const batch = Array.from({ length: int(random, 1, 30) }, (_, i) =>
              noise(random() < 0.05 ? int(random, 0, 300_000) : int(random, 0, 2_000), round * 1_000 + i)
            )
            sent.push(...batch)
            runner.channel.send(Buffer.concat(batch.map(framed)))
            if (random() < 0.5) parent.use()
            if (random() < 0.3) await settled()
          }
          await until(() => {
            parent.use()
            return parent.got.length === sent.length
          })
        }
        yield* Effect.promise(exchange)
        assert.isTrue(parent.got.every((message, i) => message.equals(sent[i]!)))
      }
    }).pipe(Effect.scoped)
  )
})

describe("a message that arrives byte by byte", () => {
  it("is not copied for each byte", async () => {
    const [left, right] = memoryPair()
    const parent = end(left, "parent")
    right.start({ data: () => {}, drained: () => {}, closed: () => {} })
    const concat = vi.spyOn(Buffer, "concat")
    try {
      const message = noise(12 * KiB, 3)
      for (const byte of framed(message)) right.write([encode(Kind.ItemsResponse, id, Buffer.from([byte]))])
      concat.mockClear()
      await settled()
      assert.deepStrictEqual(parent.got, [Buffer.from(message)])
      const copied = concat.mock.results.reduce((sum, { value }) => sum + (value as Buffer).length, 0)
      assert.isBelow(copied, 10 * message.length)
    } finally {
      concat.mockRestore()
    }
  })
})

describe("a channel's session ends at", () => {
  const cases: ReadonlyArray<readonly [name: string, frames: ReadonlyArray<Buffer>, said: RegExp]> = [
    [
      "bytes beyond the credit",
      Array.from({ length: 5 }, () => encode(Kind.ItemsResponse, id, Buffer.alloc(32 * KiB))),
      /beyond their credit/
    ],
    ["a length that is none", [encode(Kind.ItemsResponse, id, Buffer.alloc(20, 0xff))], /a malformed length/],
    [
      "a message above the limit, before anything is allocated",
      [encode(Kind.ItemsResponse, id, Buffer.from(lengthOf(1_001)))],
      /a message of 1001 bytes, the limit is 1000/
    ],
    ["a grant of another size", [encode(Kind.GrantResponse, id, Buffer.alloc(3))], /GrantResponse frame of 3 bytes/]
  ]
  it.each(cases)("%s", async (_name, frames, said) => {
    const [left, right] = memoryPair()
    const parent = end(left, "parent", { limit: 1_000 })
    right.start({ data: () => {}, drained: () => {}, closed: () => {} })
    right.write(frames)
    await settled()
    assert.lengthOf(parent.closed, 1)
    assert.match(String(parent.closed[0]), said)
  })
})
