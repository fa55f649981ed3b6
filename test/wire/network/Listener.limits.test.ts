import * as Net from "node:net"
import * as Tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Listener } from "../../../src/wire/network/Listener.ts"
import * as Psk from "../../../src/wire/network/Psk.ts"
import { defaults } from "../../../src/wire/network/Strangers.ts"
import { dialling, listening, reading, stranger, until } from "./doors.ts"

/** The first message of a TLS handshake, as a client sends it. */
const hello = (identity: string, key: Uint8Array): Effect.Effect<Buffer> =>
  Effect.promise(async () => {
    const server = Net.createServer()
    const first = new Promise<Buffer>((resolve) =>
      server.once("connection", (socket) => {
        socket.on("error", () => {})
        socket.once("data", (bytes: Buffer) => {
          socket.destroy()
          resolve(bytes)
        })
      })
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as Net.AddressInfo
    Tls.connect({ port, host: "127.0.0.1", ...Psk.clientOptions(identity, key) }).on("error", () => {})
    const bytes = await first
    server.close()
    return bytes
  })

/** Opens that many connections from an address, in order. */
const crowd = (listener: Listener, count: number, from: string) =>
  Effect.gen(function* () {
    const sockets: Array<Net.Socket> = []
    for (let i = 0; i < count; i++) {
      const socket = stranger(listener.port, from)
      yield* until(() => socket.readyState === "open" || socket.closed, "it is connected")
      sockets.push(socket)
    }
    return sockets
  })

describe("strangers at a listener", () => {
  it("have limits in number, time and bytes", () => {
    assert.deepStrictEqual(defaults, {
      sockets: 256,
      perNeighbour: 16,
      helloTimeout: 1_000,
      timeout: 5_000,
      buffered: 16_384
    })
  })

  it.live("are disconnected, the oldest first, if too many come from one address", () =>
    Effect.gen(function* () {
      const listener = yield* listening({ limits: { perNeighbour: 4, helloTimeout: 60_000 } })
      const other = yield* crowd(listener, 1, "127.0.0.2")
      const sockets = yield* crowd(listener, 10, "127.0.0.1")
      yield* until(() => listener.counters.crowded === 6, "the first of them are gone")
      yield* until(() => sockets.slice(0, 6).every(({ closed }) => closed), "they are told")
      assert.isFalse([...sockets.slice(6), ...other].some(({ closed }) => closed))
      for (const socket of [...sockets, ...other]) socket.destroy()
    })
  )

  it.live("are disconnected, the oldest first, if there are too many in all", () =>
    Effect.gen(function* () {
      const listener = yield* listening({ limits: { sockets: 6, helloTimeout: 60_000 } })
      const sockets: Array<Net.Socket> = []
      for (let i = 1; i <= 10; i++) sockets.push(...(yield* crowd(listener, 1, `127.0.0.${i}`)))
      yield* until(() => sockets.slice(0, 4).every(({ closed }) => closed), "the first are told")
      assert.isFalse(sockets.slice(4).some(({ closed }) => closed))
      assert.strictEqual(listener.counters.crowded, 4)
      for (const socket of sockets) socket.destroy()
    })
  )

  it.live("are disconnected if they send nothing, too little, or never prove who they are", () =>
    Effect.gen(function* () {
      const listener = yield* listening({ limits: { helloTimeout: 500, timeout: 1_500 } })
      const admission = listener.expect(1)
      const bytes = yield* hello(admission.identity, Psk.bytesOf(admission.key))
      const [silent, cut, slow] = yield* crowd(listener, 3, "127.0.0.1")
      const gone: Array<string> = []
      for (const [name, socket] of Object.entries({ silent, cut, slow }))
        socket!.on("close", () => void gone.push(name))
      const began = performance.now()
      cut!.write(bytes.subarray(0, bytes.length - 1))
      slow!.write(bytes)
      yield* until(() => gone.length === 3, "all are gone")
      assert.strictEqual(gone.at(-1), "slow", "it has longer than those that say nothing")
      assert.isAtLeast(performance.now() - began, 1_000)
      assert.deepInclude(listener.counters, { silent: 2, slow: 1, authenticated: 0 })
    })
  )

  it.live("are disconnected at the first byte that is not TLS, and if they send too much", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const said = [
        Buffer.from("GET / HTTP/1.1\r\n\r\n"),
        Buffer.from([22, 2]),
        Buffer.from([22, 3, 1, 0, 10, 2]),
        // A TLS record that announces more bytes than a listener reads from a stranger.
        Buffer.from([22, 3, 1, 0xff, 0xff]),
        Buffer.concat([Buffer.from([22, 3, 1, 0x30, 0, 1]), Buffer.alloc(20_000)]),
        Buffer.from([0])
      ]
      const sockets = yield* crowd(listener, said.length, "127.0.0.1")
      sockets.forEach((socket, i) => socket.write(said[i]!))
      yield* until(() => sockets.every(({ closed }) => closed), "all are gone")
      assert.strictEqual(listener.counters.garbage, said.length)
    })
  )

  it.live("may send their handshake byte by byte", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      const relay = Net.createServer((from) => {
        const to = Net.connect({ port: listener.port, host: "127.0.0.1", noDelay: true })
        to.pipe(from)
        from.on("error", () => {})
        to.on("error", () => {})
        from.once("data", (bytes: Buffer) => {
          from.pause()
          const next = (at: number): void => {
            to.write(bytes.subarray(at, at + 100))
            if (at + 100 < bytes.length) setTimeout(next, 1, at + 100)
            else from.pipe(to)
          }
          next(0)
        })
      })
      yield* Effect.promise(() => new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve)))
      const { port } = relay.address() as Net.AddressInfo
      const there = yield* Effect.promise(() => dialling({ port }, admission))
      const heard = reading(yield* admission.transport)
      there.write([Buffer.from("slowly")])
      yield* until(() => heard.text === "slowly", "it is heard")
      relay.close()
    })
  )

  it.live("cannot keep a runner out, because a disconnected runner dials again", () =>
    Effect.gen(function* () {
      const listener = yield* listening({ limits: { perNeighbour: 2, sockets: 4 } })
      const admission = listener.expect(1)
      const flooding = { isOver: false }
      const flood = yield* Effect.forkChild(
        Effect.promise(async () => {
          while (!flooding.isOver) {
            const sockets = [1, 2, 3, 4].map(() => stranger(listener.port))
            await new Promise((resolve) => setTimeout(resolve, 30))
            for (const socket of sockets) socket.destroy()
          }
        }),
        { startImmediately: true }
      )
      yield* until(() => listener.counters.crowded > 10, "it is crowded")
      yield* Effect.promise(() => dialling(listener, admission))
      yield* admission.transport
      yield* until(() => listener.counters.authenticated === 2, "its second connection is there")
      flooding.isOver = true
      yield* Fiber.join(flood)
    })
  )
})
