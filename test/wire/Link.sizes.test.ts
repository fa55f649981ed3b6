import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inlineLimit, Kind, partSize } from "../../src/wire/Frame.ts"
import { creditWindow } from "../../src/wire/Link.ts"
import { fromDuplex, memoryPair, type Transport } from "../../src/wire/Transport.ts"
import { noise } from "./kit.ts"
import { type Probe, probe } from "./probe.ts"
import { converse, ScriptedTransport } from "./ScriptedTransport.ts"
import { socketPair, turn, until } from "./network/sockets.ts"

// A body of up to this size is copied into the write. A larger one is passed by reference.
const copyLimit = 8 * 1024

const around = (limit: number) => [limit - 1, limit, limit + 1]
const sizes = [
  0,
  1,
  ...around(copyLimit),
  ...around(inlineLimit),
  ...around(partSize),
  ...around(2 * partSize),
  ...around(creditWindow),
  2 * creditWindow + 12_345,
  ...around(1024 * 1024),
  5_000_000
]

const headOf = (id: number) => noise((id * 7) % 40, id)

const send = ({ link }: Probe, sender: number) => {
  sizes.forEach((size, id) => {
    link.send(Kind.Request, id, headOf(id), noise(size, id + sender))
    link.send(Kind.Success, id, new Uint8Array(0), noise(size, id + sender + 1_000))
  })
}

/** Checks that each body sent has arrived once, and each small body in one piece. */
const check = ({ closed, messages }: Probe, sender: number) => {
  assert.deepStrictEqual(closed, [])
  assert.strictEqual(messages.length, 2 * sizes.length)
  for (const kind of [Kind.Request, Kind.Success]) {
    sizes.forEach((size, id) => {
      const [found, ...more] = messages.filter((message) => message.kind === kind && message.id === id)
      const expected =
        kind === Kind.Request ? Buffer.concat([headOf(id), noise(size, id + sender)]) : noise(size, id + sender + 1_000)
      assert.strictEqual(more.length, 0)
      assert.isTrue(found?.body.equals(expected), `${size} bytes`)
      assert.strictEqual(found?.large, expected.length > inlineLimit, `${size} bytes`)
    })
  }
}

const isDone = (...ends: ReadonlyArray<Probe>) =>
  ends.every(({ closed, messages }) => closed.length > 0 || messages.length === 2 * sizes.length)

/** Sends in both directions at once, until all bodies have arrived. */
const exchange = async (left: Transport, right: Transport) => {
  const ends = [probe(left), probe(right)] as const
  send(ends[0], 1)
  send(ends[1], 2)
  await until(() => isDone(...ends))
  check(ends[0], 2)
  check(ends[1], 1)
  return ends.every(({ closed }) => closed.length === 0)
}

describe("bodies of every size", () => {
  it("arrive as they were sent, in both directions at once, turn by turn", () => {
    const [left, right] = [new ScriptedTransport(), new ScriptedTransport()]
    const ends = [probe(left), probe(right)] as const
    send(ends[0], 1)
    send(ends[1], 2)
    converse(left, right)
    assert.isTrue(isDone(...ends))
    check(ends[0], 2)
    check(ends[1], 1)
  })

  it("arrive over memory", async () => {
    assert.isTrue(await exchange(...memoryPair()))
  })

  for (const kind of ["unix", "tcp"] as const) {
    it.live(`arrive over ${kind}`, () =>
      Effect.gen(function* () {
        const [left, right] = yield* socketPair(kind)
        yield* Effect.promise(() => exchange(fromDuplex(left), fromDuplex(right)))
      })
    )
  }

  it.live("that are incomplete when their sender ends are not delivered", () =>
    Effect.gen(function* () {
      const [near, far] = yield* socketPair("unix")
      const [left, right] = [probe(fromDuplex(near)), probe(fromDuplex(far))]
      left.link.send(Kind.Success, 1, new Uint8Array(0), noise(20_000_000, 1))
      left.link.control(Kind.Ping, 0)
      yield* Effect.promise(() => until(() => right.messages.length > 0))
      left.link.destroy()
      yield* Effect.promise(() => until(() => left.closed.length + right.closed.length === 2))
      yield* Effect.promise(turn)
      assert.deepStrictEqual(
        right.messages.map(({ kind }) => kind),
        [Kind.Ping]
      )
      // Node may report the writes that were given up as an error.
      assert.deepStrictEqual(
        left.closed.map(({ violation }) => violation),
        [undefined]
      )
      assert.strictEqual(right.closed.length, 1)
      assert.isFalse(right.link.forget(1, "response"))
      assert.isFalse(left.link.abandon(1, "response"))
    })
  )

  it.live("let a small frame pass after a few parts, over a socket that is read slowly", () =>
    Effect.gen(function* () {
      const [near, far] = yield* socketPair("unix")
      const left = probe(fromDuplex(near))
      left.link.send(Kind.Success, 1, new Uint8Array(0), noise(8_000_000, 1))
      // Nothing is read: either the credit is used up, or the socket is full.
      yield* Effect.promise(() => until(() => near.bytesWritten >= creditWindow || near.writableNeedDrain))
      left.link.control(Kind.Ping, 0)
      yield* Effect.promise(turn)
      const right = probe(fromDuplex(far))
      const before: Array<number> = []
      far.prependListener("data", (chunk: Buffer) => before.push(right.messages.length === 0 ? chunk.length : 0))
      yield* Effect.promise(() => until(() => right.messages.length === 2))
      assert.deepStrictEqual(
        right.messages.map(({ kind }) => kind),
        [Kind.Ping, Kind.Success]
      )
      // The bytes in transit, and the other frames of the chunk that holds the Ping.
      assert.isBelow(
        before.reduce((sum, size) => sum + size, 0),
        creditWindow + 65_536
      )
    })
  )
})
