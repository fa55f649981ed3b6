import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Duplex } from "node:stream"
import { fromDuplex, memoryPair, whenClosed, type Transport } from "../../src/wire/Transport.ts"
import { noise } from "./kit.ts"
import { socketPair, turn, until } from "./network/sockets.ts"

/** Records the events of a transport. */
const listen = (transport: Transport) => {
  const heard = { bytes: Buffer.alloc(0), drained: 0, closed: [] as Array<Error | undefined>, after: 0 }
  transport.start({
    data(chunk) {
      if (heard.closed.length > 0) heard.after++
      heard.bytes = Buffer.concat([heard.bytes, chunk])
    },
    drained: () => void heard.drained++,
    closed: (error) => void heard.closed.push(error)
  })
  return heard
}

const text = (value: string) => [Buffer.from(value)]

describe("memoryPair", () => {
  it("carries bytes both ways, in order, by microtasks alone", async () => {
    const [left, right] = memoryPair()
    const [atLeft, atRight] = [listen(left), listen(right)]
    left.write([Buffer.from("a"), Buffer.from("b")])
    left.write(text("c"))
    right.write(text("d"))
    assert.strictEqual(atRight.bytes.length, 0)
    for (let i = 0; i < 5; i++) await Promise.resolve()
    assert.strictEqual(String(atRight.bytes), "abc")
    assert.strictEqual(String(atLeft.bytes), "d")
  })

  it("keeps bytes that arrive before its start", async () => {
    const [left, right] = memoryPair()
    left.write(text("early"))
    await turn()
    const heard = listen(right)
    await turn()
    assert.strictEqual(String(heard.bytes), "early")
  })

  it("carries the bytes as they were at the write, of Buffers too", async () => {
    const [left, right] = memoryPair()
    const heard = listen(right)
    const buffer = Buffer.from("abc")
    const plain = new Uint8Array([0x64])
    left.write([buffer, plain])
    buffer.fill(0)
    plain.fill(0)
    await turn()
    assert.strictEqual(String(heard.bytes), "abcd")
  })

  it("reuses the memory of the bytes that it has delivered", async () => {
    const [left, right] = memoryPair()
    const kept: Array<Uint8Array> = []
    right.start({ data: (chunk) => void kept.push(chunk), drained() {}, closed() {} })
    left.write(text("view"))
    await turn()
    assert.notStrictEqual(String(kept[0]), "view")
  })

  it("ends after the written bytes, and reports the end once at both ends", async () => {
    const [left, right] = memoryPair()
    const [atLeft, atRight] = [listen(left), listen(right)]
    right.write(text("x"))
    left.write(text("last"))
    left.end()
    left.write(text("never"))
    left.end()
    left.destroy()
    await turn()
    right.destroy(new Error("late"))
    await turn()
    assert.strictEqual(String(atRight.bytes), "last")
    assert.deepStrictEqual([atLeft.closed.length, atRight.closed.length], [1, 1])
    assert.deepStrictEqual([atLeft.after, atRight.after], [0, 0])
  })

  it("is destroyed at once, and reports the error at the destroying end only", async () => {
    const [left, right] = memoryPair()
    const [atLeft, atRight] = [listen(left), listen(right)]
    const error = new Error("enough")
    right.write(text("not read any more"))
    left.destroy(error)
    await turn()
    assert.deepStrictEqual([atLeft.closed, atRight.closed], [[error], [undefined]])
    assert.strictEqual(atLeft.bytes.length, 0)
  })

  it("reports its end also to an end that starts later", async () => {
    const [left, right] = memoryPair()
    left.write(text("words"))
    left.end()
    await turn()
    const heard = listen(right)
    await turn()
    assert.deepStrictEqual([String(heard.bytes), heard.closed], ["words", [undefined]])
  })

  it("holds everything back while it is frozen, its end included", async () => {
    const [left, right] = memoryPair()
    const [atLeft, atRight] = [listen(left), listen(right)]
    right.freeze(true)
    left.write(text("a"))
    left.end()
    await turn()
    assert.deepStrictEqual([atRight.bytes.length, atRight.closed.length, atLeft.closed.length], [0, 0, 1])
    right.freeze(false)
    await turn()
    assert.deepStrictEqual([String(atRight.bytes), atRight.closed.length], ["a", 1])
  })

  it("an end that is destroyed after the other has closed reads none of the bytes that it has not read", async () => {
    const [left, right] = memoryPair()
    const [, atRight] = [listen(left), listen(right)]
    right.freeze(true)
    left.write(text("a call"))
    await turn()
    left.destroy()
    await turn()
    right.freeze(false)
    right.destroy()
    await turn()
    assert.deepStrictEqual([atRight.bytes.length, atRight.closed.length], [0, 1])
  })

  it("can be started only once", () => {
    const [left] = memoryPair()
    listen(left)
    assert.throws(() => listen(left), "once")
  })
})

describe("whenClosed", () => {
  it("wraps the same pipe, and runs before the end is reported", async () => {
    const [left, right] = memoryPair()
    const told: Array<number> = []
    const noted = whenClosed(left, () => void told.push(atLeft.closed.length))
    const [atLeft, atRight] = [listen(noted), listen(right)]
    noted.write(text("there"))
    right.write(text("back"))
    noted.end()
    await turn()
    assert.deepStrictEqual([String(atRight.bytes), String(atLeft.bytes)], ["there", "back"])
    assert.deepStrictEqual([told, atLeft.closed, atRight.closed], [[0], [undefined], [undefined]])
  })
})

describe("fromDuplex", () => {
  for (const kind of ["unix", "tcp"] as const) {
    it.live(`carries bytes both ways over ${kind}, and reports the end once, after them`, () =>
      Effect.gen(function* () {
        const [left, right] = (yield* socketPair(kind)).map(fromDuplex) as [Transport, Transport]
        const [atLeft, atRight] = [listen(left), listen(right)]
        const bytes = noise(3_000_000, 1)
        right.write([bytes])
        left.write([bytes.subarray(0, 1_000_000), bytes.subarray(1_000_000)])
        left.end()
        yield* Effect.promise(() => until(() => atLeft.closed.length + atRight.closed.length === 2))
        assert.isTrue(atRight.bytes.equals(bytes))
        assert.isTrue(atLeft.bytes.equals(bytes))
        assert.deepStrictEqual(
          [atLeft.closed, atRight.closed, atLeft.after + atRight.after],
          [[undefined], [undefined], 0]
        )
      })
    )
  }

  it.live("reports when it is congested, and when it is not any more", () =>
    Effect.gen(function* () {
      const [near, far] = yield* socketPair("unix")
      const transport = fromDuplex(near)
      const heard = listen(transport)
      let written = 0
      do written += 65_536
      while (transport.write([noise(65_536, 1)]))
      yield* Effect.promise(turn)
      assert.strictEqual(heard.drained, 0)
      let read = 0
      far.on("data", (chunk: Buffer) => void (read += chunk.length))
      yield* Effect.promise(() => until(() => heard.drained > 0 && read === written))
      assert.isTrue(transport.write(text("x")))
    })
  )

  it.live("when destroyed reports its error here, and an end at the other side", () =>
    Effect.gen(function* () {
      const [near, far] = yield* socketPair("unix")
      const left = fromDuplex(near)
      const [atLeft, atRight] = [listen(left), listen(fromDuplex(far))]
      const error = new Error("enough")
      left.write(text("x"))
      left.destroy(error)
      yield* Effect.promise(() => until(() => atLeft.closed.length + atRight.closed.length === 2))
      assert.deepStrictEqual([atLeft.closed, atRight.closed], [[error], [undefined]])
    })
  )

  it.live("reports its end once to a handler that starts after it", () =>
    Effect.gen(function* () {
      const [near] = yield* socketPair("unix")
      near.destroy()
      const early = listen(fromDuplex(near))
      yield* Effect.promise(() => until(() => near.closed))
      yield* Effect.promise(turn)
      const late = listen(fromDuplex(near))
      yield* Effect.promise(turn)
      assert.deepStrictEqual([early.closed, late.closed], [[undefined], [undefined]])
    })
  )

  it.live("drops writes after its end, and delivers writes before it", () =>
    Effect.gen(function* () {
      const [near, far] = yield* socketPair("unix")
      const left = fromDuplex(near)
      const [atLeft, atRight] = [listen(left), listen(fromDuplex(far))]
      const bytes = noise(2_000_000, 3)
      left.write([bytes])
      left.end()
      left.write(text("late"))
      yield* Effect.promise(() => until(() => atLeft.closed.length + atRight.closed.length === 2))
      assert.deepStrictEqual([atRight.bytes.length, atLeft.closed], [bytes.length, [undefined]])
    })
  )

  it("hands over all chunks of a write at once", () => {
    const writes: Array<number> = []
    const duplex = new Duplex({
      read() {},
      writev(chunks, done) {
        writes.push(chunks.length)
        done()
      }
    })
    const transport = fromDuplex(duplex)
    listen(transport)
    transport.write([noise(1, 1), noise(2, 1), noise(3, 1)])
    assert.deepStrictEqual(writes, [3])
  })
})
