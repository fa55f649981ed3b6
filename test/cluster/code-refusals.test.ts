/** Tests that code goes to its own runners alone, and as it was made: C251, C263, C268, C269 on pods. */
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import * as Flame from "../../src/Flame.ts"
import { BootFailed } from "../../src/error/FlameError.ts"
import { encode, json, Kind } from "../../src/wire/Frame.ts"
import { reasonOf } from "../fixtures/conformance-process/harness.ts"
import { environment, feature } from "../fixtures/code/functions.ts"
import { create, exec, gone, list, pod, pods, remove } from "./kit/Cluster.ts"
import { freePort, host, kubeconfig, onHost, runnerLabel } from "./kit/HostParent.ts"
import { leavesNothing, mark } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as Program from "./kit/Program.ts"
import { program, serving, source } from "./kit/SentProgram.ts"

const space = Namespaces.ofFile("code-refusals")

describe("a pod that asks for another hash than its parent has", () => {
  it.live("fails its boot with CodeMismatch, which names both hashes [C251] [C263]", () =>
    Effect.gen(function* () {
      const other = `process.argv=process.argv.map((each)=>/^[0-9a-f]{64}$/.test(each)?"a".repeat(64):each)`
      const command = ["node", `--import=data:text/javascript,${other}`]
      const entry = yield* program(serving("'never'"))
      yield* onHost(space, { code: { entry }, command, bootTimeout: "1 minute" }, () =>
        Effect.gen(function* () {
          const reason = yield* reasonOf(Flame.call(environment))
          assert.instanceOf(reason, BootFailed)
          assert.strictEqual(reason.cause._tag, "CodeMismatch")
          assert.match(reason.cause.message, /started for code aaaaaaaaaaaa, but its parent has [0-9a-f]{12}/)
        })
      )
    })
  )
})

/** Asks a port for code, in the clear and over TLS with keys that are wrong. Prints the bytes that came each time, or -1. */
const asking = (port: number, ask: string, identity: string) => `
const net = require("node:net"), tls = require("node:tls")
const to = { host: "${host}", port: ${port} }, ask = Buffer.from("${ask}", "base64")
const heard = (secure) => new Promise((done) => {
  const socket = net.connect(to, () => secure || socket.write(ask))
  let open = false
  socket.on("connect", () => (open = true)).on("error", () => {}).on("close", () => done(open ? socket.bytesRead : -1))
  if (secure) tls.connect({ ...secure, socket }, function () { this.write(ask) }).on("error", () => {}).on("data", () => {})
  setTimeout(() => socket.destroy(), 5000)
})
const psk = { pskCallback: () => ({ identity: "${identity}", psk: Buffer.alloc(32) }), checkServerIdentity: () => undefined, minVersion: "TLSv1.3" }
Promise.all([heard(), heard({ rejectUnauthorized: false }), heard(psk)]).then((all) => console.log(JSON.stringify(all)))`

describe("a stranger in another pod", () => {
  it.live("gets no code of a parent that is sending its code to runners [C269]", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const image = inject("cluster").images.app
        const spec = {
          containers: [{ name: "app", image, command: ["node", "-e", "setInterval(() => {}, 1e6)"] }],
          terminationGracePeriodSeconds: 0
        }
        yield* Effect.acquireRelease(create(space.name, "pods", { metadata: { name: "stranger" }, spec }), () =>
          remove(space.name, "pods", "stranger", { grace: 0 })
        )
        yield* pod(space.name, "stranger", ({ status }) => status?.phase === "Running", "the start")
        const port = yield* freePort
        const entry = yield* program(serving("'served'"))
        yield* onHost(space, { code: { entry }, port }, ({ runners }) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* Flame.call(feature, { name: "" }), "served")
            const [runner] = yield* runners((all) => all.length === 1 && all, "there is one runner")
            const env: ReadonlyArray<{ readonly name: string; readonly value: string }> = runner.spec.containers[0].env
            const identity = env.find(({ name }) => name === "FLAME_RUNNER_IDENTITY")?.value ?? ""
            assert.isNotEmpty(identity)
            const hash: string = runner.metadata.annotations["flame.dev/code"]
            const ask = Buffer.from(encode(Kind.AskCode, 0, json({ hash, node: "24.0.0" }))).toString("base64")
            const heard = yield* exec(space.name, "stranger", "node", "-e", asking(port, ask, identity))
            const bytes = JSON.parse(heard) as ReadonlyArray<number>
            assert.lengthOf(bytes, 3)
            // An alert of TLS is shorter than one part of the code.
            for (const each of bytes) assert.isBelow(each, 500)
            assert.notInclude(bytes, -1, "each connection was opened")
          })
        )
      })
    )
  )
})

/** A parent that kills itself soon after a runner has asked for its code, of which 32 MB are random. */
const parent = `import { Effect, Layer, Schema, Stream } from "effect"
import { readFileSync } from "node:fs"
import * as Flame from ${source("Flame.ts")}
import * as FlameLayer from ${source("FlameLayer.ts")}
import { Pool } from ${source("pool/Pool.ts")}
const large = Flame.fn("large", { success: Schema.Int }, () =>
  Effect.sync(() => readFileSync(new URL("./large.bin", import.meta.url)).length))
const killing = Effect.gen(function* () {
  const pool = yield* Pool
  yield* Effect.forkChild(Stream.runForEach(pool.events, (event) => Effect.sync(() => {
    if (event._tag === "BootProgress") console.log(event.phase)
    if (event._tag === "BootProgress" && event.phase === "connected") setTimeout(() => process.kill(process.pid, "SIGKILL"), 30)
  })), { startImmediately: true })
  yield* Flame.call(large)
})
Flame.main({
  functions: [large],
  app: killing,
  flame: FlameLayer.kubernetes({ code: "sync", max: 1, ...JSON.parse(process.env.TEST_KUBERNETES_OPTIONS ?? "{}") })
}).pipe(Flame.runMain)`

describe("a parent that is killed while it sends its code", () => {
  it.live("leaves a pod that ends by itself, and gc deletes all of the rest [C268]", () =>
    Effect.gen(function* () {
      const file = yield* kubeconfig(space.name)
      const main = yield* program(parent, { "large.bin": randomBytes(32_000_000) })
      const options = {
        namespace: space.name,
        advertise: host,
        port: yield* freePort,
        resources: { requests: { cpu: "20m", memory: "64Mi" } },
        env: { [mark]: space.name }
      }
      yield* leavesNothing(
        space.name,
        Effect.gen(function* () {
          const end = yield* killed(main, { KUBECONFIG: file, TEST_KUBERNETES_OPTIONS: JSON.stringify(options) })
          assert.strictEqual(end.signal, "SIGKILL", end.output)
          assert.notInclude(end.output, "imported")
          const [left] = yield* pods(
            space.name,
            runnerLabel,
            (all) => all.every(({ status }) => ["Failed", "Succeeded"].includes(status.phase)) && all,
            "the runner has ended"
          )
          const ended = yield* Program.run(["gc", "-n", space.name])
          assert.strictEqual(ended.status, 0, ended.stderr)
          assert.match(ended.stdout, /deleted [1-9]\d* objects/)
          if (left !== undefined) yield* gone(space.name, "pods", left.metadata.name)
          for (const resource of ["jobs", "secrets"] as const) {
            const own = yield* list(space.name, resource, "flame.dev/parent")
            for (const { metadata } of own) yield* gone(space.name, resource, metadata.name)
          }
        })
      )
    }).pipe(Effect.scoped)
  )
})

interface Killed {
  readonly signal: string | null
  readonly output: string
}

/** Runs a program to its end. */
const killed = (main: string, env: Readonly<Record<string, string>>): Effect.Effect<Killed> =>
  Effect.callback<Killed>((resume) => {
    const child = spawn(process.execPath, ["--conditions=effect-flame-source", main], {
      env: { ...process.env, ...env }
    })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()))
    child.once("close", (_, signal) => resume(Effect.succeed({ signal, output })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })
