import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Kind } from "../../src/wire/Frame.ts"
import { Link, type LinkClosed } from "../../src/wire/Link.ts"
import { fromDuplex } from "../../src/wire/Transport.ts"
import * as Random from "../simulation/Random.ts"
import { frame, pieces, u32 } from "./kit.ts"
import { socketPair, until } from "./network/sockets.ts"
import { ScriptedTransport } from "./ScriptedTransport.ts"

const listening = (onFrame: (id: number, link: Link) => void) => {
  const transport = new ScriptedTransport()
  const ids: Array<number> = []
  let closed: LinkClosed | undefined
  const link: Link = new Link(transport, {
    message: (_, id) => {
      ids.push(id)
      onFrame(id, link)
    },
    accept: () => "none",
    closed: (how) => {
      closed = how
    }
  })
  link.open()
  return { ids, link, transport, closed: () => closed }
}

const frames = (count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, id) => frame(Kind.Request, id, u32(id))))

describe("a paused link", () => {
  it("handles no frame until it is resumed, and then all of them in order", () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = Random.make(seed)
      const { closed, ids, link, transport } = listening((_, link) => void (random() < 0.3 && link.pause()))
      for (const piece of pieces(frames(40), random, 60)) {
        transport.feed(piece)
        const { length } = ids
        if (link.isPaused) {
          transport.feed(Buffer.alloc(0))
          assert.strictEqual(ids.length, length)
        }
        if (random() < 0.5) link.resume()
      }
      while (link.isPaused) link.resume()
      assert.deepStrictEqual(
        ids,
        Array.from({ length: 40 }, (_, i) => i)
      )
      transport.close()
      assert.isUndefined(closed()?.violation)
    }
  })

  it("handles the arrived frames before it reports its end", () => {
    const { closed, ids, transport } = listening((_, link) => link.pause())
    transport.feed(frames(10))
    assert.strictEqual(ids.length, 1)
    transport.close()
    assert.strictEqual(ids.length, 10)
    assert.isUndefined(closed()?.violation)
  })

  it.live("makes its peer wait, because the socket is not read", () =>
    Effect.gen(function* () {
      const [near, far] = yield* socketPair("unix")
      let got = 0
      const link: Link = new Link(fromDuplex(near), {
        message: () => {
          if (++got === 1) link.pause()
        },
        accept: () => "none",
        closed: () => {}
      })
      link.open()
      const much = Buffer.alloc(8 * 1024 * 1024, frame(Kind.Request, 1, new Uint8Array(7)))
      far.write(much)
      yield* Effect.promise(() => until(() => got === 1))
      for (let i = 0; i < 50; i++) yield* Effect.sleep(1)
      assert.strictEqual(got, 1)
      assert.isAbove(far.writableLength, 0)
      link.resume()
      yield* Effect.promise(() => until(() => got === much.length / 16))
    }).pipe(Effect.scoped)
  )
})

describe("a transport over a socket [C203]", () => {
  it.live("reports which writes may have reached the peer", () =>
    Effect.gen(function* () {
      const [near, far] = yield* socketPair("unix")
      const transport = fromDuplex(near)
      far.pause()
      const chunk = Buffer.alloc(256 * 1024)
      let writes = 0
      // Fills the buffers of the kernel.
      while (transport.write([chunk]) && writes < 100) writes++
      writes++
      for (let i = 0; i < 50; i++) yield* Effect.sleep(1)
      const begun = transport.begun?.() ?? 0
      assert.isAbove(begun, 0)
      // The write in progress may have arrived in part, but nothing after it.
      for (let i = 0; i < 5; i++) transport.write([chunk, chunk])
      writes += 5
      assert.isAtMost(transport.begun?.() ?? 0, writes - 5)
      far.resume()
      yield* Effect.promise(() => until(() => transport.begun?.() === writes && transport.buffered?.() === 0))
    }).pipe(Effect.scoped)
  )
})
