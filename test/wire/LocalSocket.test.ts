import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import * as Net from "node:net"
import { adopt } from "../../src/wire/LocalSocket.ts"
import type { Transport } from "../../src/wire/Transport.ts"
import { turn, until } from "./network/sockets.ts"

/** A child process that runs `code` with the socket `s` on its descriptor 3. The scope kills it. */
const child = (code: string) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["-e", `const s = new (require("node:net").Socket)({ fd: 3 }); ${code}`], {
        stdio: ["ignore", "ignore", "inherit", "pipe"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const hear = (transport: Transport) => {
  const heard = { bytes: [] as Array<Buffer>, memory: new Set<ArrayBufferLike>(), closed: [] as Array<unknown> }
  transport.start({
    data(chunk) {
      heard.memory.add(chunk.buffer)
      heard.bytes.push(Buffer.from(chunk))
    },
    drained() {},
    closed: (error) => void heard.closed.push(error)
  })
  return heard
}

describe("adopting an inherited socket", () => {
  it.live("reads all bytes of a child into one memory, and reports the end once, after them", () =>
    Effect.gen(function* () {
      const process = yield* child(`s.end(Buffer.alloc(3_000_000, "abc"))`)
      const [transport] = adopt(Net.Socket, process.stdio[3] as Net.Socket)
      const heard = hear(transport)
      yield* Effect.promise(() => until(() => heard.closed.length > 0))
      yield* Effect.promise(turn)
      assert.isTrue(Buffer.concat(heard.bytes).equals(Buffer.alloc(3_000_000, "abc")))
      assert.deepStrictEqual([heard.closed, heard.memory.size], [[undefined], 1])
    })
  )

  it.live("reads nothing before its start, and then what arrived before", () =>
    Effect.gen(function* () {
      const process = yield* child(`s.write("early"); s.on("data", (d) => s.end(d, () => process.exit()))`)
      const [transport, socket] = adopt(Net.Socket, process.stdio[3] as Net.Socket)
      transport.write([Buffer.from("echo")])
      yield* Effect.promise(() => until(() => process.exitCode !== null))
      assert.strictEqual(socket.bytesRead, 0)
      const heard = hear(transport)
      yield* Effect.promise(() => until(() => heard.closed.length > 0))
      assert.strictEqual(String(Buffer.concat(heard.bytes)), "earlyecho")
    })
  )

  it.live("uses the socket itself if the socket has no handle to take over", () =>
    Effect.gen(function* () {
      const process = yield* child(`s.end("plain")`)
      const made = process.stdio[3] as Net.Socket
      const { _handle: handle } = made as unknown as { readonly _handle: object }
      const [transport, socket] = adopt(Net.Socket, new Proxy(made, hidden))
      assert.isObject(handle)
      const heard = hear(transport)
      yield* Effect.promise(() => until(() => heard.closed.length > 0))
      assert.strictEqual(String(Buffer.concat(heard.bytes)), "plain")
      assert.strictEqual(socket.destroyed, true)
    })
  )

  it.live("reports its end when it is destroyed, and the child sees the end too", () =>
    Effect.gen(function* () {
      const process = yield* child(`s.resume(); s.on("error", () => {})`)
      const [transport] = adopt(Net.Socket, process.stdio[3] as Net.Socket)
      const heard = hear(transport)
      transport.destroy()
      yield* Effect.promise(() => until(() => heard.closed.length > 0 && process.exitCode !== null))
      assert.strictEqual(heard.closed.length, 1)
    })
  )
})

/** Hides the handle of a socket. */
const hidden: ProxyHandler<Net.Socket> = {
  get(target, name) {
    const value: unknown = name === "_handle" ? undefined : Reflect.get(target, name, target)
    return typeof value === "function" ? value.bind(target) : value
  }
}
