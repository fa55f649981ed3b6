/** Tests who reaches the status of a parent in a pod. */
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"
import type { StatusDocument } from "../../src/status/record/StatusDocument.ts"
import { create, exec, pod, remove } from "./kit/Cluster.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"
import * as Program from "./kit/Program.ts"

const space = Namespaces.ofFile("status")

/** A parent, and its address once it runs. */
const parent = (name: string, env: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const { metadata, spec } = ParentPod.template(space.name, { image: inject("cluster").images.operated, env })
    yield* Effect.acquireRelease(create(space.name, "pods", { metadata: { ...metadata, name }, spec }), () =>
      remove(space.name, "pods", name)
    )
    const isRunning = ({ status }: { readonly status?: { readonly podIP?: string; readonly phase?: string } }) =>
      status?.phase === "Running" && status.podIP
    return yield* pod(space.name, name, isRunning, "the start")
  })

/** The answer that a program inside a pod gets from an address. */
const fetchIn = (name: string, address: string) => {
  const program = `fetch(${JSON.stringify(address)}).then((r) => r.text()).then((t) => console.log(t), (e) => console.log("NO " + e.cause.code))`
  return Effect.map(exec(space.name, name, "node", "-e", program), (text) => text.trim())
}

const codeOf = (host: string, port: number): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const socket = connect({ host, port })
    socket.once("connect", () => resume(Effect.succeed("connected")))
    socket.once("error", (error: NodeJS.ErrnoException) => resume(Effect.succeed(error.code ?? "?")))
    return Effect.sync(() => socket.destroy())
  })

describe("the status of a parent in a pod", () => {
  it.live("answers inside of the pod, and nobody at the pod's address: no other pod, no node [C313]", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const ip = yield* parent("shop", { TEST_LOAD: "1", TEST_MILLIS: "500" })
        yield* parent("other", { TEST_LOAD: "0", TEST_STATUS: "0" })
        const own = yield* Program.eventually(
          Effect.map(fetchIn("shop", "http://127.0.0.1:9346/status"), (text) => text.startsWith("{") && text),
          "the status answers inside of its pod"
        )
        const document = JSON.parse(own) as StatusDocument
        assert.deepInclude(document, { version: 1, actions: false })
        assert.strictEqual(document.pools[0]?.backend, "kubernetes")
        assert.strictEqual(yield* fetchIn("other", `http://${ip}:9346/status`), "NO ECONNREFUSED")
        assert.strictEqual(yield* codeOf(ip, 9346), "ECONNREFUSED")
        // Without the layer nothing listens.
        assert.strictEqual(yield* fetchIn("other", "http://127.0.0.1:9346/status"), "NO ECONNREFUSED")
      })
    )
  )
})
