import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { zstdCompressSync } from "node:zlib"
import { Effect, Redacted } from "effect"
import type { Code } from "../../../src/code/PreparedCode.ts"
import { pack } from "../../../src/code/CodePack.ts"
import * as RunnerProgram from "../../../src/code/RunnerProgram.ts"
import { sendCode } from "../../../src/code/SendCode.ts"
import * as RoleVariables from "../../../src/process/RoleVariables.ts"
import { encode, json, Kind } from "../../../src/wire/Frame.ts"
import * as Listener from "../../../src/wire/network/Listener.ts"
import * as Psk from "../../../src/wire/network/Psk.ts"

/** 3 MB of code that cannot be compressed. */
const packed = pack({ entry: "main.mjs", onDisk: false, native: {} }, [
  {
    name: "main.mjs",
    kind: "module",
    bytes: Buffer.from(`export default ${JSON.stringify(randomBytes(1_500_000).toString("hex"))}`)
  }
])

const code: Code = {
  hash: createHash("sha256").update(packed).digest("hex"),
  size: packed.length,
  sent: zstdCompressSync(packed),
  onDisk: false,
  made: "for a test",
  took: 0,
  variables: []
}

/** A listener that expects one runner, and the process of this runner. */
const started = Effect.gen(function* () {
  const listener = yield* Listener.make({ master: Psk.makeMaster(), life: "life", host: "127.0.0.1", port: 0 })
  const admission = listener.expect(1)
  const spec = { id: "r1", pool: "p", life: "life", bootTimeout: 30_000, drainTimeout: 1_000, cancelGrace: 1_000 }
  const way = { address: `127.0.0.1:${listener.port}` }
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [...RunnerProgram.nodeArguments(code, [])], {
        env: {
          ...RoleVariables.networkVariables(spec, admission.identity, way),
          [RoleVariables.keyVariable]: Redacted.value(admission.key)
        },
        stdio: ["ignore", "ignore", "pipe"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  let stderr = ""
  child.stderr.on("data", (chunk: Buffer) => (stderr += String(chunk)))
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
  const end = Effect.map(
    Effect.promise(() => ended),
    (exitCode) => ({ exitCode, stderr })
  )
  return { admission, listener, end }
})

describe("a runner that waits for its code", () => {
  it.live("ends with the reason when its parent ends while it sends the code [C268]", () =>
    Effect.gen(function* () {
      const { admission, end } = yield* started
      const transport = yield* admission.transport
      transport.start({ data: () => {}, drained: () => {}, closed: () => {} })
      transport.write([encode(Kind.CodeHead, 0, json({ size: code.size, sent: code.sent.length }))])
      transport.write([encode(Kind.CodePart, 0, code.sent.subarray(0, 10_000))])
      transport.end()
      const { exitCode, stderr } = yield* end
      assert.strictEqual(exitCode, 1)
      assert.match(stderr, /"NeverConnected".*did not send the code: it closed the connection after 10000 of \d+ bytes/)
    }).pipe(Effect.scoped)
  )

  it.live("runs no code with another hash, and reports both hashes to its parent [C263]", () =>
    Effect.gen(function* () {
      const { admission, end } = yield* started
      const other = Buffer.from(packed)
      other[packed.length - 20]! ^= 1
      const cause = yield* Effect.flip(sendCode(yield* admission.transport, { ...code, sent: zstdCompressSync(other) }))
      const found = createHash("sha256").update(other).digest("hex")
      assert.deepStrictEqual(JSON.parse(JSON.stringify(cause)), { _tag: "CodeMismatch", expected: code.hash, found })
      assert.strictEqual((yield* end).exitCode, 1)
    }).pipe(Effect.scoped)
  )

  it.live("gets its code by its key only: a stranger at the port receives nothing of it [C269]", () =>
    Effect.gen(function* () {
      const { admission, listener } = yield* started
      yield* Effect.forkScoped(Effect.flatMap(admission.transport, (pipe) => sendCode(pipe, code)))
      const heard = (options: Tls.ConnectionOptions | undefined) =>
        Effect.promise(
          () =>
            new Promise<number>((resolve) => {
              const socket = Net.connect({ host: "127.0.0.1", port: listener.port })
              socket.once("close", () => resolve(socket.bytesRead))
              socket.on("error", () => {})
              const ask = encode(Kind.AskCode, 0, json({ hash: code.hash, node: "24.0.0" }))
              if (options === undefined) return void socket.write(ask)
              const secure = Tls.connect({ ...options, socket })
              secure.on("error", () => {})
              secure.once("secureConnect", () => secure.write(ask))
            })
        )
      const wrong = Psk.clientOptions(admission.identity, Buffer.alloc(32))
      // An alert of TLS is shorter than one part of the code.
      for (const options of [undefined, wrong, { rejectUnauthorized: false }]) {
        assert.isBelow(yield* heard(options), 500)
      }
    }).pipe(Effect.scoped)
  )
})
