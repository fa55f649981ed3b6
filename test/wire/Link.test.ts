import { assert, describe, it } from "@effect/vitest"
import { Kind, partSize } from "../../src/wire/Frame.ts"
import { creditWindow, maxCreditWindow } from "../../src/wire/Link.ts"
import { type Frame, frame, noise, none, open, u32 } from "./kit.ts"
import { probe, type ProbeOptions } from "./probe.ts"
import { converse, ScriptedTransport } from "./ScriptedTransport.ts"

const MiB = 1024 * 1024

const scripted = (options?: ProbeOptions) => {
  const transport = new ScriptedTransport()
  return { transport, ...probe(transport, options) }
}

/** Two ends that exchange bytes when the test calls `converse`. */
const pair = (left?: ProbeOptions, right?: ProbeOptions) => {
  const ends = [scripted(left), scripted(right)] as const
  return { left: ends[0], right: ends[1], converse: () => converse(ends[0].transport, ends[1].transport) }
}

const isPart = ({ kind }: Frame) => kind === Kind.PartRequest || kind === Kind.PartResponse
const sizeOf = (frames: ReadonlyArray<Frame>) => frames.filter(isPart).reduce((sum, { body }) => sum + body.length, 0)
const ids = (frames: ReadonlyArray<Frame>) => frames.filter(isPart).map(({ id }) => id)

describe("a link", () => {
  describe("its writes", () => {
    it("are one write for a few small frames of a turn, at its end", () => {
      const { link, transport } = scripted()
      for (let id = 0; id < 6; id++) link.send(Kind.Success, id, none, noise(200, id))
      assert.strictEqual(transport.writes.length, 0)
      transport.turn()
      assert.strictEqual(transport.writes.length, 1)
      assert.deepStrictEqual(
        transport.frames().map(({ id }) => id),
        [0, 1, 2, 3, 4, 5]
      )
      assert.isFalse(transport.turn())
    })

    it("keep the order of frames of all sizes", () => {
      const { link, transport } = scripted()
      const sent = [0, 1, 100, 8_192, 8_193, 20_000, 32_768, 5, 30_000, 8_000, 3].map((size, i) => {
        const [head, payload] = [noise(i % 4, i), noise(Math.max(0, size - (i % 4)), i)]
        link.send(Kind.Request, i, head, payload)
        return { kind: Kind.Request, id: i, body: Buffer.concat([head, payload]) }
      })
      link.control(Kind.Ping, 0)
      transport.settle()
      assert.isBelow(transport.writes.length, sent.length)
      assert.deepStrictEqual(transport.frames(), [...sent, { kind: Kind.Ping, id: 0, body: Buffer.alloc(0) }])
    })

    it("begin before the end of a turn with many frames, so that the peer need not wait", () => {
      const { link, transport } = scripted()
      for (let id = 0; id < 1_000; id++) link.send(Kind.Success, id, none, noise(200, id))
      const early = transport.writes.length
      assert.isAbove(early, 0)
      transport.settle()
      // Each write carries several frames. At most one write is smaller than the size at which a write leaves early.
      assert.isAtMost(transport.writes.length, Math.ceil((1_000 * 209) / 1_400))
      assert.deepStrictEqual(
        transport.frames().map(({ id }) => id),
        Array.from({ length: 1_000 }, (_, id) => id)
      )
    })

    it("include answers that are made while a chunk is read", () => {
      const { link, transport } = scripted({ message: ({ link }, { id }) => link.control(Kind.Success, id) })
      transport.feed(...[1, 2, 3].map((id) => frame(Kind.Request, id)))
      link.control(Kind.Pong, 0)
      transport.settle()
      assert.strictEqual(transport.writes.length, 1)
      assert.strictEqual(transport.frames().length, 4)
    })

    it("hold the bytes of bodies up to 8 KiB although their memory is reused at once", () => {
      const { link, transport } = scripted()
      const [head, payload] = [noise(20, 1), noise(8_192, 2)]
      const expected = Buffer.concat([head, payload])
      link.send(Kind.Request, 1, head, payload)
      head.fill(0)
      payload.fill(0)
      transport.turn()
      link.send(Kind.Request, 2, none, noise(8_000, 3))
      transport.turn()
      assert.isTrue(transport.frames()[0]?.body.equals(expected))
    })

    it("report the turn to which they belong", () => {
      const { link, transport } = scripted()
      const sentIn: Array<number> = []
      const unsent = () => sentIn.filter((turn) => turn > link.flushed).length
      for (let i = 0; i < 3; i++) {
        sentIn.push(link.turn)
        link.control(Kind.Ping, i)
      }
      assert.strictEqual(unsent(), 3)
      transport.turn()
      assert.strictEqual(unsent(), 0)
      sentIn.push(link.turn)
      link.control(Kind.Ping, 4)
      assert.strictEqual(unsent(), 1)
    })
  })

  describe("a large body", () => {
    it("leaves in parts, a few at a time", () => {
      const { link, transport } = scripted()
      const body = noise(creditWindow, 1)
      link.send(Kind.Success, 7, none, body)
      transport.settle()
      assert.isAtLeast(transport.writes.length, 2)
      for (const write of transport.writes) assert.isAtMost(write.length, 2 * partSize + 200)
      const [first, ...parts] = transport.frames()
      assert.deepStrictEqual(first, { kind: Kind.OpenResponse, id: 7, body: open(creditWindow, Kind.Success) })
      assert.deepStrictEqual(new Set(parts.map(({ id, kind }) => `${kind} ${id}`)), new Set([`${Kind.PartResponse} 7`]))
      assert.isTrue(Buffer.concat(parts.map(({ body }) => body)).equals(body))
      for (const part of parts) assert.isAtMost(part.body.length, partSize)
    })

    it("lets small frames pass while the connection is congested", () => {
      const { link, transport } = scripted()
      transport.isCongested = true
      link.send(Kind.Request, 1, none, noise(creditWindow, 1))
      transport.settle()
      const before = sizeOf(transport.frames())
      assert.isAtMost(before, 2 * partSize)
      for (let id = 2; id < 5; id++) {
        link.control(Kind.Cancel, id)
        transport.settle()
      }
      assert.deepStrictEqual(
        transport.frames().map(({ id, kind }) => [kind, id]),
        [2, 3, 4].map((id) => [Kind.Cancel, id])
      )
      transport.drain()
      transport.settle()
      assert.strictEqual(before + sizeOf(transport.frames()), creditWindow)
    })

    it("lets small frames of the same turn pass", () => {
      const { link, transport } = scripted()
      link.send(Kind.Request, 1, none, noise(MiB, 1))
      link.control(Kind.Ping, 0)
      transport.settle()
      assert.deepStrictEqual(
        transport
          .frames()
          .slice(0, 3)
          .map(({ kind }) => kind),
        [Kind.OpenRequest, Kind.Ping, Kind.PartRequest]
      )
    })

    it("takes turns with other large bodies", () => {
      const { link, transport } = scripted()
      for (const id of [1, 2, 3]) link.send(Kind.Request, id, none, noise(creditWindow, id))
      transport.settle()
      assert.deepStrictEqual(
        ids(transport.frames()),
        Array.from({ length: (3 * creditWindow) / partSize }, (_, i) => (i % 3) + 1)
      )
    })

    it("that waits for credit does not delay others", () => {
      const { link, transport } = scripted()
      link.send(Kind.Request, 1, none, noise(3 * MiB, 1))
      transport.settle()
      assert.strictEqual(sizeOf(transport.frames()), creditWindow)
      link.send(Kind.Request, 2, none, noise(creditWindow / 2, 2))
      transport.settle()
      const frames = transport.frames()
      assert.deepStrictEqual(new Set(ids(frames)), new Set([2]))
      assert.strictEqual(sizeOf(frames), creditWindow / 2)
    })

    it("stops at its credit: a receiver that does not read holds its sender back", () => {
      const { link, transport } = scripted()
      link.send(Kind.Success, 1, none, noise(5 * MiB, 1))
      let sent = 0
      let granted = creditWindow
      const check = () => {
        transport.settle()
        sent += sizeOf(transport.frames())
        assert.strictEqual(sent, Math.min(granted, 5 * MiB))
      }
      check()
      for (const more of [1, 0, 100, partSize, partSize + 1, 2 * MiB, 700_000, 4 * MiB]) {
        transport.feed(frame(Kind.CreditResponse, 1, u32(more)))
        granted += more
        check()
      }
      assert.strictEqual(sent, 5 * MiB)
    })

    it("ignores credit of the other direction, of another call, or of a call that has ended", () => {
      const { closed, link, transport } = scripted()
      link.send(Kind.Success, 1, none, noise(2 * MiB, 1))
      transport.settle()
      transport.frames()
      transport.feed(frame(Kind.CreditRequest, 1, u32(MiB)), frame(Kind.CreditResponse, 2, u32(MiB)))
      transport.settle()
      assert.deepStrictEqual([transport.frames(), closed], [[], []])
    })

    it("is ahead of its receiver by at most the window", () => {
      const sender = scripted()
      const receiver = scripted()
      const size = 5 * MiB + 17
      sender.link.send(Kind.Request, 1, none, noise(size, 1))
      let sent = 0
      let granted = creditWindow
      let grants = 0
      for (;;) {
        sender.transport.settle()
        const frames = sender.transport.frames()
        sent += sizeOf(frames)
        assert.isAtMost(sent, granted)
        if (frames.length === 0) break
        // Part by part, so that credits arrive as early as possible.
        for (const { body, id, kind } of frames) {
          receiver.transport.feed(frame(kind, id, body))
          receiver.transport.settle()
          for (const credit of receiver.transport.frames()) {
            granted += credit.body.readUInt32BE(0)
            grants++
            assert.isAtMost(granted, sent + maxCreditWindow)
            sender.transport.feed(frame(credit.kind, credit.id, credit.body))
          }
        }
      }
      assert.isTrue(receiver.messages[0]?.body.equals(noise(size, 1)))
      assert.isAtMost(grants, 2 * Math.ceil(size / creditWindow))
    })

    it("requests no credit that it does not need", () => {
      const { left, right } = pair()
      left.link.send(Kind.Request, 1, none, noise(creditWindow, 1))
      left.transport.settle()
      right.transport.feed(left.transport.taking())
      right.transport.settle()
      assert.strictEqual(right.messages.length, 1)
      assert.deepStrictEqual(right.transport.frames(), [])
    })

    it("may have the same id in both directions", () => {
      const { converse, left, right } = pair()
      left.link.send(Kind.Request, 1, noise(3, 9), noise(2 * MiB, 1))
      left.link.send(Kind.Success, 1, none, noise(2 * MiB, 2))
      right.link.send(Kind.Request, 1, none, noise(2 * MiB, 3))
      right.link.send(Kind.Defect, 1, none, noise(2 * MiB, 4))
      converse()
      const found = [...left.messages, ...right.messages].toSorted(
        (a, b) => a.body.length - b.body.length || a.kind - b.kind
      )
      const expected = [3, 2, 4, 1].map((seed) =>
        seed === 1 ? Buffer.concat([noise(3, 9), noise(2 * MiB, 1)]) : noise(2 * MiB, seed)
      )
      assert.deepStrictEqual(
        found.map(({ kind }) => kind),
        [Kind.Request, Kind.Success, Kind.Defect, Kind.Request]
      )
      assert.isTrue(found.every(({ body }, i) => expected[i]?.equals(body)))
    })

    it("is offered to the receiver with kind, id and size before it arrives", () => {
      const { converse, left, right } = pair()
      left.link.send(Kind.Request, 3, noise(10, 1), noise(40_000, 1))
      left.link.send(Kind.Failure, 4, none, noise(50_000, 1))
      converse()
      assert.deepStrictEqual(right.asked, [
        [Kind.Request, 3, 40_000],
        [Kind.Failure, 4, 50_000]
      ])
    })
  })

  describe("abandon and forget", () => {
    it("drop the unsent rest of one large body, and leave the others", () => {
      const { converse, left, right } = pair()
      for (const id of [1, 2]) left.link.send(Kind.Request, id, none, noise(3 * MiB, id))
      left.link.send(Kind.Success, 1, none, noise(3 * MiB, 3))
      left.transport.rest()
      assert.isTrue(left.link.abandon(1, "request"))
      assert.isFalse(left.link.abandon(1, "request"))
      assert.isFalse(left.link.abandon(3, "request"))
      left.link.control(Kind.Cancel, 1)
      converse()
      assert.deepStrictEqual(
        right.messages.map(({ id, kind }) => [kind, id]).toSorted(([a = 0], [b = 0]) => a - b),
        [
          [Kind.Request, 2],
          [Kind.Cancel, 1],
          [Kind.Success, 1]
        ]
      )
      assert.isTrue(right.link.forget(1, "request"))
      assert.isFalse(right.link.forget(1, "request"))
      assert.isFalse(right.link.forget(2, "request"))
      assert.isFalse(right.link.forget(1, "response"))
    })

    it("report that nothing was left", () => {
      const { converse, left, right } = pair()
      left.link.send(Kind.Request, 1, none, noise(100_000, 1))
      converse()
      assert.isFalse(left.link.abandon(1, "request"))
      assert.isFalse(right.link.forget(1, "request"))
    })

    it("free the id for another body", () => {
      const { converse, left, right } = pair()
      left.link.send(Kind.Success, 1, none, noise(3 * MiB, 1))
      left.transport.rest()
      right.transport.feed(left.transport.taking())
      left.link.abandon(1, "response")
      right.link.forget(1, "response")
      left.link.send(Kind.Success, 1, none, noise(2 * MiB, 2))
      converse()
      assert.deepStrictEqual(right.closed, [])
      assert.isTrue(right.messages[0]?.body.equals(noise(2 * MiB, 2)))
    })
  })

  describe("its end", () => {
    it("comes after all sent frames, without unfinished large bodies", () => {
      const { link, transport } = scripted()
      link.send(Kind.Success, 1, none, noise(20_000, 1))
      link.send(Kind.Success, 2, none, noise(200_000, 1))
      link.control(Kind.Bye, 0)
      link.endSession()
      assert.isTrue(transport.isEnded)
      assert.deepStrictEqual(
        transport.frames().map(({ kind }) => kind),
        [Kind.Success, Kind.OpenResponse, Kind.Bye]
      )
      transport.settle()
      assert.deepStrictEqual(transport.frames(), [])
    })

    it("is reported once, last, with its cause", () => {
      for (const error of [undefined, new Error("reset")]) {
        const { closed, link, messages, transport } = scripted()
        transport.feed(frame(Kind.Ping, 1))
        transport.close(error)
        transport.close(new Error("again"))
        transport.feed(frame(Kind.Ping, 2))
        assert.deepStrictEqual(closed, [{ violation: undefined, error }])
        assert.isTrue(link.closed)
        assert.strictEqual(messages.length, 1)
      }
    })

    it("stops everything: nothing is written any more, and nothing is held", () => {
      const { link, transport } = scripted({ closed: ({ link }) => link.control(Kind.Ping, 9) })
      link.send(Kind.Request, 1, none, noise(3 * MiB, 1))
      transport.feed(frame(Kind.OpenResponse, 2, open(100_000, Kind.Success)))
      transport.rest()
      const writes = transport.writes.length
      transport.close()
      link.send(Kind.Request, 2, none, noise(MiB, 1))
      link.control(Kind.Ping, 0)
      link.endSession()
      transport.settle()
      transport.drain()
      assert.strictEqual(transport.writes.length, writes)
      assert.isFalse(transport.isEnded)
      assert.isFalse(link.abandon(1, "request"))
      assert.isFalse(link.forget(2, "response"))
    })

    it("in the middle of a frame is reported as such, unless this side has ended the link", () => {
      const cut = [
        frame(Kind.Request, 1, noise(20, 1)).subarray(0, 15),
        frame(Kind.PartRequest, 1, noise(20, 1)).subarray(0, 15)
      ]
      for (const bytes of cut) {
        const begun = () => {
          const end = scripted()
          end.transport.feed(frame(Kind.OpenRequest, 1, open(100_000, Kind.Request)), bytes)
          return end
        }
        const theirs = begun()
        theirs.transport.close()
        assert.deepStrictEqual(theirs.closed, [{ violation: "an end in the middle of a frame", error: undefined }])
        const broken = begun()
        const error = new Error("reset")
        broken.transport.close(error)
        assert.deepStrictEqual(broken.closed, [{ violation: undefined, error }])
        const ours = begun()
        ours.link.destroy()
        ours.transport.close()
        assert.deepStrictEqual(ours.closed, [{ violation: undefined, error: undefined }])
      }
    })

    it("by destroy handles no more frames, even before it is reported", () => {
      const { link, messages, transport } = scripted()
      link.destroy()
      assert.isTrue(transport.isDestroyed)
      transport.feed(frame(Kind.Ping, 1))
      assert.deepStrictEqual(messages, [])
    })

    it("by a violation is reported with the first rule that was broken", () => {
      const { closed, link, transport } = scripted()
      link.violate("one")
      link.violate("two")
      assert.isTrue(transport.isDestroyed)
      assert.deepStrictEqual(closed, [])
      transport.close()
      link.violate("three")
      assert.deepStrictEqual(closed, [{ violation: "one", error: undefined }])
    })
  })

  describe("whenSent", () => {
    it("runs at once if no large body is in transit", () => {
      const { link } = scripted()
      let runs = 0
      link.send(Kind.Request, 1, none, noise(30_000, 1))
      link.whenSent(() => void runs++)
      assert.strictEqual(runs, 1)
    })

    it("runs when the last large body was handed over", () => {
      const { link, transport } = scripted()
      let sent = -1
      link.send(Kind.Success, 1, none, noise(creditWindow + 1, 1))
      link.send(Kind.Success, 2, none, noise(100_000, 1))
      link.whenSent(() => {
        sent = sizeOf(transport.frames())
      })
      transport.settle()
      assert.strictEqual(sent, -1)
      transport.feed(frame(Kind.CreditResponse, 1, u32(1)))
      transport.settle()
      assert.strictEqual(sent, creditWindow + 100_001)
    })

    it("runs when the last large body was abandoned", () => {
      const { link, transport } = scripted()
      let runs = 0
      link.send(Kind.Success, 1, none, noise(3 * MiB, 1))
      transport.settle()
      link.whenSent(() => void runs++)
      link.abandon(1, "response")
      transport.settle()
      assert.strictEqual(runs, 1)
    })

    it("never runs if the link ends first", () => {
      const { link, transport } = scripted()
      link.send(Kind.Success, 1, none, noise(3 * MiB, 1))
      link.whenSent(() => assert.fail("it was not sent"))
      link.endSession()
      transport.settle()
      transport.close()
      transport.settle()
    })

    it("may end the link", () => {
      const { link, transport } = scripted()
      link.send(Kind.Success, 1, none, noise(100_000, 1))
      link.whenSent(() => {
        link.control(Kind.Bye, 0)
        link.endSession()
      })
      transport.settle()
      const frames = transport.frames()
      assert.strictEqual(frames.at(-1)?.kind, Kind.Bye)
      assert.strictEqual(sizeOf(frames), 100_000)
      assert.isTrue(transport.isEnded)
    })
  })
})
