import type * as Net from "node:net"
import * as Tls from "node:tls"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Listener } from "../../../src/wire/network/Listener.ts"
import * as Psk from "../../../src/wire/network/Psk.ts"
import { selfSigned } from "./certificate.ts"
import { accompanied, dialling, handshake, listening, reading, until } from "./doors.ts"

/** Options of a TLS client that has this key. */
const keyed = (identity: string, key: Uint8Array): Tls.ConnectionOptions => Psk.clientOptions(identity, key)

/** A listener that expects one runner. Proves at the end that only that runner can connect. */
const guarded = <E>(
  attack: (listener: Listener, identity: string, key: Buffer) => Effect.Effect<void, E>
): Effect.Effect<void, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      let isIn = false
      yield* Effect.forkChild(
        Effect.map(admission.transport, () => {
          isIn = true
        }),
        { startImmediately: true }
      )
      yield* attack(listener, admission.identity, Psk.bytesOf(admission.key))
      assert.strictEqual(listener.counters.authenticated, 0)
      assert.isFalse(isIn)
      // The key still works for its owner, which is the only one that is heard.
      const there = yield* Effect.promise(() => dialling(listener, admission))
      const heard = reading(yield* admission.transport)
      there.write([Buffer.from("it is me")])
      yield* until(() => heard.text !== "", "it is heard")
      assert.strictEqual(heard.text, "it is me")
    })
  )

const refuses = (listener: Listener, options: Tls.ConnectionOptions) =>
  Effect.map(
    Effect.promise(() => handshake(listener.port, options)),
    (end) => {
      assert.deepStrictEqual([end.isSecure, end.got], [false, ""])
      return end.code ?? ""
    }
  )

describe("keys of runners", () => {
  it("differ for each runner and life of a parent, are the same each time, and fit into a variable", () => {
    const [master, other] = [Psk.makeMaster(), Psk.makeMaster()]
    const text = (...of: Parameters<typeof Psk.keyOf>) => Redacted.value(Psk.keyOf(...of))
    const all = [text(master, "a", 1), text(master, "a", 2), text(master, "b", 1), text(other, "a", 1)]
    assert.strictEqual(new Set(all).size, 4)
    assert.strictEqual(text(master, "a", 1), all[0])
    for (const key of all) assert.match(key, /^[\w-]{43}$/)
    assert.lengthOf(Psk.bytesOf(Psk.keyOf(master, "a", 1)), 32)
  })
})

describe("a listener refuses, without decoding a byte,", () => {
  it.live("[C97] a wrong key", () =>
    guarded((listener, identity) =>
      Effect.gen(function* () {
        const code = yield* refuses(listener, keyed(identity, Buffer.alloc(32, 7)))
        assert.strictEqual(code, "ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR")
      })
    )
  )

  it.live("[C97] an unknown identity, of any form", () =>
    guarded((listener, identity, key) =>
      Effect.gen(function* () {
        for (const name of [
          "another.1",
          `${identity}0`,
          identity.toUpperCase(),
          "\u0000",
          "x".repeat(200),
          `${identity}~`
        ]) {
          assert.include(yield* refuses(listener, keyed(name, key)), "ERR_SSL_", name)
        }
      })
    )
  )

  it.live("[C97] TLS 1.2, with or without the right key", () =>
    guarded((listener, identity, key) =>
      Effect.gen(function* () {
        const old = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const
        const ciphers = "PSK-AES128-GCM-SHA256:ECDHE-PSK-CHACHA20-POLY1305"
        const code = yield* refuses(listener, { ...keyed(identity, key), ...old, ciphers })
        assert.strictEqual(code, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION")
        yield* refuses(listener, { ...old, rejectUnauthorized: false })
      })
    )
  )

  it.live("[C97] a client without a key, with another cipher, or with a certificate", () =>
    guarded((listener, identity, key) =>
      Effect.gen(function* () {
        yield* refuses(listener, { rejectUnauthorized: false })
        yield* refuses(listener, { ...keyed(identity, key), ciphers: "TLS_AES_256_GCM_SHA384" })
        yield* refuses(listener, { ...selfSigned(), rejectUnauthorized: false })
      })
    )
  )

  it.live("[C97] its own session ticket, once the key is burnt", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      const key = Psk.bytesOf(admission.key)
      const tickets: Array<Buffer> = []
      const first = Tls.connect({ port: listener.port, host: "127.0.0.1", ...keyed(admission.identity, key) })
      first.on("session", (ticket) => tickets.push(ticket))
      accompanied(listener.port, admission.identity, first)
      first.resume()
      const heard = reading(yield* admission.transport)
      yield* until(() => tickets.length > 0, "it has got a ticket")
      for (const session of tickets) {
        yield* refuses(listener, { session, rejectUnauthorized: false })
        yield* refuses(listener, { ...keyed(admission.identity, key), session })
      }
      // The existing session is not disturbed.
      first.write("still here")
      yield* until(() => heard.text === "still here", "it is heard")
      first.destroy()
      yield* until(() => heard.closed !== undefined, "it has ended")
      for (const session of tickets) yield* refuses(listener, { ...keyed(admission.identity, key), session })
      assert.strictEqual(listener.counters.authenticated, 2)
      assert.strictEqual(heard.text, "still here")
    })
  )

  it.live("[C97] the second of two clients with one key", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      const options = keyed(admission.identity, Psk.bytesOf(admission.key))
      const sockets = [1, 2, 3].map((name) => {
        const socket = Tls.connect({ port: listener.port, host: "127.0.0.1", ...options })
        const self = { socket, got: 0 }
        socket.on("error", () => {})
        socket.on("data", (chunk: Buffer) => {
          self.got += chunk.length
        })
        accompanied(listener.port, admission.identity, socket)
        socket.write(`I am ${name}`)
        return self
      })
      const heard = reading(yield* admission.transport)
      yield* until(() => sockets.filter(({ socket }) => socket.closed).length === 2, "the others are sent away")
      yield* until(() => heard.text !== "", "one is heard")
      assert.match(heard.text, /^I am \d$/)
      assert.deepStrictEqual(
        sockets.map(({ got }) => got).toSorted((a, b) => a - b),
        [0, 0, 32]
      )
      for (const { socket } of sockets) socket.destroy()
    })
  )
})

/** A server that runs until the scope ends, and the bytes that it received. */
const faking = (options: Tls.TlsOptions) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly heard: Array<string>; readonly server: Tls.Server }>((resume) => {
      const heard: Array<string> = []
      const server = Tls.createServer(options, (socket) => {
        socket.on("error", () => {})
        socket.on("data", (chunk: Buffer) => heard.push(chunk.toString()))
        socket.write(Buffer.alloc(64))
      })
      server.on("tlsClientError", () => {})
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({ port: (server.address() as Net.AddressInfo).port, heard, server }))
      )
    }),
    ({ server }) => Effect.sync(() => server.close())
  )

describe("a runner refuses", () => {
  const credentials = { identity: "life.1", key: Psk.keyOf(Psk.makeMaster(), "life", 1) }
  const rejection = (listener: { readonly port: number }, patience = 5_000) =>
    Effect.promise(async () => {
      const transport = dialling(listener, credentials, { patience })
      return transport.then(
        () => "it was let in",
        (error: Error) => error.message
      )
    })

  it.live("[C97] a server with a certificate that this machine trusts, and sends it nothing", () =>
    Effect.gen(function* () {
      const trusted = selfSigned()
      const before = Tls.getCACertificates("default")
      yield* Effect.acquireRelease(
        Effect.sync(() => Tls.setDefaultCACertificates([...before, trusted.cert])),
        () => Effect.sync(() => Tls.setDefaultCACertificates(before))
      )
      const { heard, port } = yield* faking({ ...trusted, minVersion: "TLSv1.3" })
      // Any other client would accept the server's certificate, also when the client offers a key.
      const naive = Tls.connect({
        port,
        host: "127.0.0.1",
        pskCallback: () => ({ identity: "x", psk: Buffer.alloc(32) })
      })
      naive.write("a secret")
      yield* until(() => heard.length > 0, "it is told")
      assert.isTrue(naive.authorized)
      naive.destroy()
      heard.length = 0
      assert.match(yield* rejection({ port }), /does not know its key/)
      assert.deepStrictEqual(heard, [])
    })
  )

  it.live("[C97] a server with another key, and a server without TLS", () =>
    Effect.gen(function* () {
      const other = yield* faking(Psk.serverOptions(() => Buffer.alloc(32, 1)))
      assert.match(yield* rejection(other), /does not know its key/)
      assert.deepStrictEqual(other.heard, [])
    })
  )
})
