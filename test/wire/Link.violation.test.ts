import { assert, describe, it } from "@effect/vitest"
import { frameLimit, Kind, partSize } from "../../src/wire/Frame.ts"
import { creditWindow } from "../../src/wire/Link.ts"
import { frame, noise, none, open, u32 } from "./kit.ts"
import { probe, type ProbeOptions } from "./probe.ts"
import { converse, ScriptedTransport } from "./ScriptedTransport.ts"

const scripted = (options?: ProbeOptions) => {
  const transport = new ScriptedTransport()
  return { transport, ...probe(transport, options) }
}

const openRequest = (total: number, kind: number = Kind.Request, head?: Uint8Array) =>
  frame(Kind.OpenRequest, 1, open(total, kind, head))
const openResponse = (total: number, kind: number = Kind.Success, head?: Uint8Array) =>
  frame(Kind.OpenResponse, 1, open(total, kind, head))
const parts = (total: number, id = 1) =>
  Buffer.concat(
    Array.from({ length: Math.ceil(total / 30_000) }, (_, i) =>
      frame(Kind.PartRequest, id, noise(Math.min(30_000, total - i * 30_000), i))
    )
  )

/** Violations of a peer, and the reason with which the session must end. */
const violations: ReadonlyArray<readonly [name: string, sent: ReadonlyArray<Uint8Array>, said: string]> = [
  [
    "garbage",
    [Buffer.from("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")],
    "unknown kind 47 frame of 1195725856 bytes, the limit is 262144"
  ],
  [
    "a frame above the limit",
    [frame(Kind.Request, 1, none, frameLimit + 1)],
    "Request frame of 262145 bytes, the limit is 262144"
  ],
  [
    "a part above the limit",
    [openRequest(1e6), frame(Kind.PartRequest, 1, none, 0xffffffff)],
    "PartRequest frame of 4294967295 bytes, the limit is 262144"
  ],
  ["a kind that is unknown", [frame(58, 1)], "unknown kind 58"],
  ["the last kind there could be", [frame(255, 1, noise(100, 1))], "unknown kind 255"],
  ["an Open without size", [frame(Kind.OpenRequest, 1)], "OpenRequest frame of 0 bytes"],
  ["an Open cut short", [frame(Kind.OpenResponse, 1, noise(8, 1))], "OpenResponse frame of 8 bytes"],
  ["NaN bytes", [openRequest(Number.NaN)], "OpenRequest frame for NaN bytes of Request"],
  ["infinitely many bytes", [openRequest(Infinity)], "OpenRequest frame for Infinity bytes of Request"],
  ["half a byte more", [openRequest(100_000.5)], "OpenRequest frame for 100000.5 bytes of Request"],
  ["fewer than no bytes", [openRequest(-100_000)], "OpenRequest frame for -100000 bytes of Request"],
  [
    "fewer than no bytes behind a long head",
    [openRequest(-1, Kind.Request, noise(40_000, 1))],
    "OpenRequest frame for -1 bytes of Request"
  ],
  [
    "no bytes behind a long head",
    [openResponse(0, Kind.Success, noise(40_000, 1))],
    "OpenResponse frame for 0 bytes of Success"
  ],
  [
    "more bytes than can be counted",
    [openResponse(2 ** 53)],
    "OpenResponse frame for 9007199254740992 bytes of Success"
  ],
  ["a body that would fit in a frame", [openResponse(32_768)], "OpenResponse frame for 32768 bytes of Success"],
  ["a large Success as a request", [openRequest(1e6, Kind.Success)], "OpenRequest frame for 1000000 bytes of Success"],
  [
    "a large Request as a response",
    [openResponse(1e6, Kind.Request)],
    "OpenResponse frame for 1000000 bytes of Request"
  ],
  ["a large Cancel", [openRequest(1e6, Kind.Cancel)], "OpenRequest frame for 1000000 bytes of Cancel"],
  ["a large Hello", [openRequest(1e6, Kind.Hello)], "OpenRequest frame for 1000000 bytes of Hello"],
  ["a large Part", [openRequest(1e6, Kind.PartRequest)], "OpenRequest frame for 1000000 bytes of PartRequest"],
  ["a second body of one call", [openRequest(1e6), openRequest(1e6)], "OpenRequest frame for 1000000 bytes of Request"],
  ["more bytes than this side takes", [openRequest(3e6)], "3000000 are too many"],
  [
    "a part of nothing",
    [frame(Kind.PartRequest, 1, noise(10, 1))],
    "a PartRequest frame for call 1, of which no large body is under way"
  ],
  [
    "a part of another call",
    [openRequest(1e6), parts(10, 2)],
    "a PartRequest frame for call 2, of which no large body is under way"
  ],
  [
    "a part of the other direction",
    [openResponse(1e6), parts(10)],
    "a PartRequest frame for call 1, of which no large body is under way"
  ],
  [
    "a part after the last",
    [openRequest(100_000), parts(100_000), parts(1)],
    "a PartRequest frame for call 1, of which no large body is under way"
  ],
  [
    "a part beyond the size",
    [openRequest(100_000), parts(99_999), parts(2)],
    "PartRequest frames beyond the announced 100000 bytes"
  ],
  ["credit of nothing", [frame(Kind.CreditRequest, 1)], "CreditRequest frame of 0 bytes"],
  ["credit of five bytes", [frame(Kind.CreditResponse, 1, noise(5, 1))], "CreditResponse frame of 5 bytes"],
  ["what its handler chokes on", [frame(Kind.Defect, 1)], "what could not be handled: no defects today"]
]

const options: ProbeOptions = {
  accept: (_, __, total) => (total > 2.5e6 ? `${total} are too many` : undefined),
  message: (_, { kind }) => {
    if (kind === Kind.Defect) throw new Error("no defects today")
  }
}

describe("a session ends with its reason at", () => {
  for (const [name, sent, said] of violations) {
    it(`${name}, at once`, () => {
      const { closed, link, messages, transport } = scripted(options)
      // In one chunk, with more frames behind the violation, which must not count.
      transport.feed(frame(Kind.Ping, 9), ...sent, frame(Kind.Pong, 9))
      transport.feed(frame(Kind.Pong, 9), noise(500, 1))
      assert.isTrue(transport.isDestroyed)
      assert.deepStrictEqual(closed, [])
      transport.close()
      assert.deepStrictEqual(closed, [{ violation: said, error: undefined }])
      assert.strictEqual(messages[0]?.kind, Kind.Ping)
      assert.isFalse(messages.some(({ kind }) => kind === Kind.Pong))
      assert.isFalse(link.forget(1, "request"))
      assert.isFalse(link.forget(1, "response"))
    })

    it(`${name}, byte by byte`, () => {
      const { closed, transport } = scripted(options)
      const bytes = Buffer.concat(sent)
      // The parts of a megabyte need not arrive byte by byte.
      const step = bytes.length > 50_000 ? 997 : 1
      for (let at = 0; at < bytes.length; at += step) transport.feed(bytes.subarray(at, at + step))
      transport.close()
      assert.deepStrictEqual(closed, [{ violation: said, error: undefined }])
    })
  }

  it("a part beyond the credit", () => {
    const { closed, transport } = scripted()
    transport.feed(openRequest(2e6), frame(Kind.PartRequest, 1, noise(creditWindow + 1, 1)))
    transport.close()
    assert.deepStrictEqual(closed, [{ violation: "PartRequest frames beyond their credit", error: undefined }])
  })

  it("parts of a body that the peer has forgotten", () => {
    const { closed, link, transport } = scripted()
    transport.feed(openRequest(1e6), parts(100))
    link.forget(1, "request")
    transport.feed(parts(100))
    transport.close()
    assert.deepStrictEqual(closed, [
      { violation: "a PartRequest frame for call 1, of which no large body is under way", error: undefined }
    ])
  })
})

describe("a session goes on at", () => {
  it("empty parts, parts of one byte, and parts as large as the credit", () => {
    const { closed, messages, transport } = scripted()
    const body = noise(2 * creditWindow + 37_000, 1)
    transport.feed(openRequest(body.length))
    let at = 0
    for (const size of [0, 1, 0, creditWindow - 1, creditWindow, 37_000]) {
      transport.feed(frame(Kind.PartRequest, 1, body.subarray(at, at + size)))
      at += size
    }
    assert.deepStrictEqual(closed, [])
    assert.isTrue(messages[0]?.body.equals(body))
  })

  it("credit for a body that is not in transit, and more credit than could be used", () => {
    const { closed, link, transport } = scripted()
    link.send(Kind.Success, 1, none, noise(3e6, 1))
    for (let i = 0; i < 5; i++)
      transport.feed(frame(Kind.CreditResponse, 1, u32(0xffffffff)), frame(Kind.CreditRequest, 7, u32(5)))
    transport.settle()
    assert.strictEqual(transport.frames().length, 1 + Math.ceil(3e6 / partSize))
    assert.deepStrictEqual(closed, [])
  })
})

describe("a size that a peer announces", () => {
  it("costs no memory before the bytes arrive", () => {
    const { closed, link, transport } = scripted()
    const before = process.memoryUsage().rss
    for (let id = 1; id <= 16; id++)
      transport.feed(
        frame(Kind.OpenResponse, id, open(1024 ** 3, Kind.Success)),
        frame(Kind.PartResponse, id, noise(1_000, 1))
      )
    const after = process.memoryUsage().rss
    assert.deepStrictEqual(closed, [])
    // The peer announced 16 GiB.
    assert.isBelow(after - before, 64 * 1024 * 1024)
    for (let id = 1; id <= 16; id++) assert.isTrue(link.forget(id, "response"))
  })

  it("ends its session if so much memory cannot be allocated", () => {
    const { closed, transport } = scripted()
    transport.feed(openResponse(2 ** 52))
    transport.close()
    assert.strictEqual(closed.length, 1)
    assert.match(closed[0]?.violation ?? "", /^what could not be handled: /)
  })

  it("does not affect other sessions", () => {
    const [left, right] = [scripted(), scripted()]
    left.link.send(Kind.Request, 1, none, noise(3e6, 1))
    left.transport.rest()
    right.transport.feed(left.transport.taking())
    for (const [, sent] of violations) {
      const other = scripted(options)
      other.transport.feed(...sent)
      assert.isTrue(other.transport.isDestroyed)
      other.transport.close()
    }
    converse(left.transport, right.transport)
    assert.isTrue(right.messages[0]?.body.equals(noise(3e6, 1)))
  })
})
