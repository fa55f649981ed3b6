import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Flame from "../../../src/Flame.ts"
import { Pool } from "../../../src/pool/Pool.ts"
import { connect } from "../../../src/pool/engine/Introduction.ts"
import { keyVariable, networkVariables } from "../../../src/process/RoleVariables.ts"
import { awaitParent } from "../../../src/wire/network/AwaitParent.ts"
import { decodeFailure } from "../../../src/wire/Handshake.ts"
import * as Psk from "../../../src/wire/network/Psk.ts"
import { connectThrough } from "../../../src/wire/network/PskClient.ts"
import { bundled } from "../../fixtures/bundled.ts"
import { compute, look } from "../../fixtures/network/functions.ts"
import * as TcpBackend from "../../fixtures/network/TcpBackend.ts"
import { reading, until } from "./doors.ts"

const entry = await bundled(new URL("../../fixtures/network/runner.ts", import.meta.url))
const spec = { id: "r-1", pool: "p", life: "life", bootTimeout: 10_000, drainTimeout: 500, cancelGrace: 500 }
const terms = {
  runner: "r-1",
  life: "life",
  fingerprints: new Map<string, string>(),
  cancelGrace: 500,
  drainTimeout: 500,
  maxPayload: 1e6,
  maxResult: 1e6
}
const credentials = { identity: Psk.identityOf("life", 1), key: Psk.keyOf(Psk.makeMaster(), "life", 1) }

/** A port that is free. */
const freePort = Effect.promise(
  () =>
    new Promise<number>((resolve) => {
      const server = Net.createServer().listen(0, "127.0.0.1", () => {
        const { port } = server.address() as Net.AddressInfo
        server.close(() => resolve(port))
      })
    })
)

const stream = (port: number, host = "127.0.0.1") => Net.connect({ port, host, noDelay: true })

/** Retries until the runner listens. */
const patiently = Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 3_000 })

/** A runner with these variables. The scope kills it. */
const started = (variables: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn(process.execPath, [fileURLToPath(entry)], {
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...process.env, ...variables }
      })
      const self = { child, stderr: "", code: undefined as number | null | undefined }
      child.stderr.on("data", (chunk: Buffer) => {
        self.stderr += String(chunk)
      })
      child.once("close", (code) => {
        self.code = code
      })
      return self
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

describe("a runner to which its parent dials", () => {
  it.live("serves the parent that has its key, and then listens no more", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const runner = yield* started({
        ...networkVariables(spec, credentials.identity, { listen: port }),
        [keyVariable]: Redacted.value(credentials.key)
      })
      const transport = yield* patiently(Effect.suspend(() => connectThrough(stream(port), credentials)))
      const handle = yield* connect(transport, terms)
      assert.strictEqual(handle.hello.runner, "r-1")
      const late = yield* Effect.flip(connectThrough(stream(port), credentials))
      assert.match(late.detail, /ECONNREFUSED/)
      handle.drain(500)
      yield* until(() => runner.code !== undefined, "it has ended")
      assert.strictEqual(runner.code, 0, runner.stderr)
    })
  )

  it.live("refuses everybody else, on loopback of either family", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const pipe = awaitParent({ ...credentials, port, patience: 60_000 })
      const wrong = { ...credentials, key: Redacted.make(Buffer.alloc(32).toString("base64url")) }
      const refused = yield* Effect.flip(connectThrough(stream(port), wrong))
      assert.isTrue(refused.refused)
      const unknown = yield* Effect.flip(connectThrough(stream(port), { ...credentials, identity: "x" }))
      assert.isTrue(unknown.refused)
      const mine = yield* connectThrough(stream(port, "::1"), credentials)
      const heard = reading(yield* Effect.promise(() => pipe))
      mine.write([Buffer.from("it is me")])
      yield* until(() => heard.text === "it is me", "it is heard")
      mine.destroy()
    })
  )

  it.live("is dialled again if the connection ended before it could be used", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const ended = stream(port).on("error", () => {})
      yield* until(() => ended.closed, "nobody listens there")
      const failed = yield* Effect.flip(connectThrough(ended, credentials))
      assert.isFalse(failed.refused)
      assert.match(failed.detail, /ECONNREFUSED/)
    })
  )

  it.live("ends by itself when its parent does not dial, or its port is taken", () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const never = yield* Effect.flip(
        Effect.tryPromise({
          try: () => awaitParent({ ...credentials, port, patience: 200 }),
          catch: (error) => error as Error
        })
      )
      assert.include(never.message, `its parent did not connect to its port ${port}`)
      const taken = [Net.createServer().listen(port, "127.0.0.1"), Net.createServer().listen(port, "::1")]
      yield* until(() => taken.every(({ listening }) => listening), "it is taken")
      const failed = yield* Effect.flip(
        Effect.tryPromise({
          try: () => awaitParent({ ...credentials, port, patience: 60_000 }),
          catch: (error) => error as Error
        })
      )
      assert.include(failed.message, `it cannot listen on its port ${port}`)
      for (const server of taken) server.close()
    })
  )
})

describe("a runner that dials", () => {
  it.live("[C50] ends by itself within its boot deadline if it cannot reach its parent, and says so", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "flame-report-"))
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const port = yield* freePort
      const began = performance.now()
      const report = join(folder, "report")
      const runner = yield* started({
        ...networkVariables({ ...spec, bootTimeout: 2_500 }, credentials.identity, { address: `127.0.0.1:${port}` }),
        [keyVariable]: Redacted.value(credentials.key),
        FLAME_RUNNER_REPORT: report
      })
      yield* until(() => runner.code !== undefined, "it has ended")
      // Starting the process takes seconds on a busy computer.
      assert.isBelow(performance.now() - began, 2_500 + 30_000)
      assert.strictEqual(runner.code, 1)
      assert.match(
        runner.stderr,
        /^effect-flame: runner r-1 ends: its parent at 127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\) could not be reached.*\n$/
      )
      assert.isTrue(existsSync(report))
      const text = readFileSync(report, "utf8")
      assert.isTrue(text.startsWith("effect-flame:"))
      const cause = decodeFailure(Buffer.from(text.slice("effect-flame:".length)))
      assert.strictEqual(cause._tag, "NeverConnected")
      assert.include(cause.message, "ECONNREFUSED")
    })
  )

  it.live("is not lost by a first call that computes for longer than its second connection may take", () =>
    // The second connection may take 5 s.
    Flame.call(compute, { millis: 7_000 }).pipe(
      Effect.provide(Pool.layer({ max: 1 }), { local: true }),
      Effect.provide(TcpBackend.layer({ entry }), { local: true })
    )
  )

  it.live("keeps its key from functions and their children, and knows its parent's address", () =>
    Effect.gen(function* () {
      let address: string | undefined
      const layer = TcpBackend.layer({ entry, address: (port) => (address = `127.0.0.1:${port}`) })
      const { child, own, parent } = yield* Flame.call(look).pipe(
        Effect.provide(Pool.layer({ max: 1 }), { local: true }),
        Effect.provide(layer, { local: true })
      )
      assert.deepStrictEqual(own, [])
      assert.notInclude(child, "FLAME_RUNNER_")
      assert.strictEqual(parent, address)
    })
  )
})
