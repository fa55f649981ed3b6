import * as Tls from "node:tls"
import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Listener from "../../../src/wire/network/Listener.ts"
import * as Psk from "../../../src/wire/network/Psk.ts"
import { tokenSize } from "../../../src/wire/network/SilentConnection.ts"
import { dialling, listening, logging, reading, silent, stranger, until } from "./doors.ts"

describe("a listener", () => {
  it.live("gives a pipe to the runner that dials with its key, and both may write at once", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(3)
      assert.strictEqual(admission.seen(), "nothing")
      const there = yield* Effect.promise(() => dialling(listener, admission))
      there.write([Buffer.from("from "), Buffer.from("there")])
      const here = yield* admission.transport
      here.write([Buffer.from("from here")])
      const [said, heard] = [reading(there), reading(here)]
      yield* until(() => said.text === "from here" && heard.text === "from there", "both have come")
      assert.strictEqual(admission.seen(), "authenticated")
      yield* until(() => listener.counters.authenticated === 2, "the second connection is there")
      there.end()
      yield* until(() => said.closed !== undefined && heard.closed !== undefined, "it is closed")
      assert.deepStrictEqual([said.closed, heard.closed], [{ error: undefined }, { error: undefined }])
    })
  )

  it.live("accepts a key once, and refuses a second dial with it by name", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      const first = yield* Effect.promise(() => dialling(listener, admission))
      const here = reading(yield* admission.transport)
      for (let i = 0; i < 3; i++) {
        const again = yield* Effect.flip(Effect.tryPromise(() => dialling(listener, admission)))
        assert.match(String(again.cause), /does not know its key/)
      }
      yield* until(() => listener.counters.refused === 3, "all are counted")
      // Logged once in 10 s for each address.
      assert.deepStrictEqual(lines, [
        'a connection to the port for runners was refused: from 127.0.0.1, the key "life.1" was used before, or given up'
      ])
      first.write([Buffer.from("still there")])
      yield* until(() => here.text === "still there", "the first one goes on")
    }).pipe(Effect.provide(layer))
  })

  it.live("accepts one of many runners that dial with one key at once", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      const all = yield* Effect.promise(() =>
        Promise.allSettled(Array.from({ length: 8 }, () => dialling(listener, admission)))
      )
      assert.lengthOf(
        all.filter(({ status }) => status === "fulfilled"),
        1
      )
      yield* until(() => listener.counters.authenticated === 2, "its second connection is there")
    })
  )

  it.live("ends the session of a revoked key", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      const there = yield* Effect.promise(() => dialling(listener, admission))
      const [said, heard] = [reading(there), reading(yield* admission.transport)]
      yield* until(() => listener.counters.authenticated === 2, "the second connection is there")
      admission.revoke()
      yield* until(() => said.closed !== undefined && heard.closed !== undefined, "both ends are told")
    })
  )

  it.live("ends a session whose second connection does not arrive", () =>
    Effect.gen(function* () {
      const listener = yield* listening({ limits: { timeout: 1_500, helloTimeout: 1_000 } })
      const admission = listener.expect(1)
      const options = Psk.clientOptions(admission.identity, Psk.bytesOf(admission.key))
      const client = Tls.connect({ port: listener.port, host: "127.0.0.1", ...options })
      client.on("error", () => {})
      client.resume()
      client.write("first")
      // The runner must not get a call yet, whose computing could keep the second connection from arriving.
      const heard = reading(yield* admission.transport)
      yield* until(() => client.closed && heard.closed !== undefined, "it is closed")
      assert.strictEqual(heard.closed?.error?.message, "its second connection did not come within 1500 ms")
      assert.strictEqual(heard.text, "")
      assert.strictEqual(listener.counters.unaccompanied, 1)
    })
  )

  it.live("ends a session whose second connection sends data, or has another token", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      const options = Psk.clientOptions(admission.identity, Psk.bytesOf(admission.key))
      const first = Tls.connect({ port: listener.port, host: "127.0.0.1", ...options })
      let token = Buffer.alloc(0)
      first.on("error", () => {})
      first.on("data", (chunk: Buffer) => {
        token = Buffer.concat([token, chunk])
      })
      yield* until(() => token.length === tokenSize, "it has its token")
      const second = (key: Uint8Array) => silent(listener.port, admission.identity, key)
      for (const wrong of [Psk.bytesOf(admission.key), Buffer.alloc(tokenSize)]) {
        const socket = second(wrong)
        yield* until(() => socket.closed, "it is refused")
      }
      assert.strictEqual(first.readyState, "open")
      const right = second(token)
      const heard = reading(yield* admission.transport)
      right.write("hello")
      yield* until(() => heard.closed !== undefined, "the session is closed")
      assert.strictEqual(
        heard.closed?.error?.message,
        "its peer sent data on the second connection, which carries none"
      )
      const late = second(token)
      yield* until(() => late.closed, "its token is used up")
      assert.strictEqual(listener.counters.authenticated, 2)
    })
  )

  it.live("refuses a key that was revoked before its use", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const admission = listener.expect(1)
      admission.revoke()
      const refused = yield* Effect.exit(Effect.tryPromise(() => dialling(listener, admission)))
      assert.isTrue(Exit.isFailure(refused))
      assert.strictEqual(admission.seen("127.0.0.1"), "tls refused")
    })
  )

  it.live("reports how far a runner has got, by its address until it has a name", () =>
    Effect.gen(function* () {
      const listener = yield* listening()
      const before = stranger(listener.port, "127.0.0.9")
      yield* until(() => before.readyState === "open", "it is connected")
      before.destroy()
      yield* until(() => listener.counters.silent === 1, "it is gone")
      const admission = listener.expect(1)
      assert.strictEqual(admission.seen("127.0.0.9"), "nothing", "what came before does not count")
      const silent = stranger(listener.port, "127.0.0.9")
      silent.write("GET / HTTP/1.1\r\n\r\n")
      yield* until(() => silent.closed, "it is sent away")
      assert.strictEqual(admission.seen("127.0.0.9"), "tcp")
      assert.strictEqual(admission.seen("127.0.0.8"), "nothing")
      assert.strictEqual(admission.seen(), "nothing")
      const wrong = yield* Effect.exit(
        Effect.tryPromise(() => dialling(listener, admission, { key: Redacted.value(listener.keyOf(2)) }))
      )
      assert.isTrue(Exit.isFailure(wrong))
      assert.strictEqual(admission.seen(), "tls refused")
    })
  )

  it.live("fails by name if its port is taken, or takes another port if that is allowed", () =>
    Effect.gen(function* () {
      const { port } = yield* listening()
      const error = yield* Effect.flip(listening({ port }))
      assert.strictEqual(error._tag, "ListenFailed")
      assert.include(error.message, `port ${port}, to which runners dial back, is taken`)
      assert.include(error.message, "set the option `port`")
      const other = yield* listening({ port, orAnyPort: true })
      assert.notStrictEqual(other.port, port)
    })
  )

  it.live("listens on IPv4 and IPv6 if both exist", () =>
    Effect.gen(function* () {
      const listener = yield* Listener.make({ master: Psk.makeMaster(), life: "l", port: 0 })
      for (const host of ["127.0.0.1", "[::1]"]) {
        const admission = listener.expect(host.length)
        const { dialParent } = yield* Effect.promise(() => import("../../../src/wire/network/DialParent.ts"))
        const addresses = `${host}:${listener.port}`
        yield* Effect.promise(() => dialParent({ ...admission, addresses, patience: 60_000 }))
        yield* admission.transport
      }
    })
  )

  it.live("leaves nothing when its scope ends: no port, no session, no stranger", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const listener = yield* Scope.provide(listening(), scope)
      const admission = listener.expect(1)
      const there = reading(yield* Effect.promise(() => dialling(listener, admission)))
      const silent = stranger(listener.port)
      yield* until(() => silent.readyState === "open", "it is connected")
      yield* Scope.close(scope, Exit.void)
      yield* until(() => silent.closed && there.closed !== undefined, "both are told")
      const late = stranger(listener.port)
      yield* until(() => late.closed, "the port is closed")
    })
  )

  it.live("prints no key", () =>
    Effect.gen(function* () {
      const master = Psk.makeMaster()
      const listener = yield* listening({ master })
      const admission = listener.expect(1)
      const secrets = [Redacted.value(admission.key), Buffer.from(Redacted.value(master)).toString("hex").slice(0, 8)]
      for (const what of [listener, admission, admission.key, master, { options: { master, key: admission.key } }]) {
        for (const text of [inspect(what, { depth: 9, showHidden: true }), JSON.stringify(what)]) {
          for (const secret of secrets) assert.notInclude(text ?? "", secret)
        }
      }
      assert.strictEqual(tokenSize, 32)
    })
  )
})
