// The prototype of the wire: schema-typed calls, interruption, per-tick coalesced frames, credit-window
// streams; no pool, no backend, no budget, no Scope per call.
import { Cause, Effect, Stream } from "effect"
import net from "node:net"
import { makeEffectPeer } from "../caller/effect-loops.mjs"
import { socketPath, startChild, stopChild } from "../work/children.mjs"
import { fns } from "./shared/wire-api.mjs"
import { client } from "./shared/wire/wire2.ts"

const effectPeer = makeEffectPeer({ Cause, Effect, Stream })

const connected = (address) =>
  new Promise((resolve, reject) => {
    const socket = net.connect(address)
    socket.setNoDelay(true)
    socket.once("connect", () => resolve(socket))
    socket.once("error", reject)
  })

export const start = async ({ workers, variant }) => {
  const f = fns()
  const one = async (_, i) => {
    const where = variant === "uds" ? { path: socketPath("wire", i) } : { port: 0, host: "127.0.0.1" }
    const kid = await startChild("wire-server.mjs", [JSON.stringify(where)])
    return { ...kid, client: client(await connected(kid.ready), process.nextTick) }
  }
  const kids = await Promise.all(Array.from({ length: workers }, one))
  const { call, stream } = kids[0].client
  return effectPeer({
    run: (e) => Effect.runPromise(e),
    echo: (a) => call(f.echo, a),
    blob: (a) => call(f.blob, a),
    record: (a) => call(f.record, a),
    sink: (data) => call(f.sink, { data }),
    prepare: (size) => call(f.prepare, { size }),
    spin: (a) => call(f.spin, a),
    hang: () => call(f.hang, {}),
    items: (n) => stream(f.items, { n }),
    ...(workers > 1 ? { lanes: kids.map((k) => (a) => k.client.call(f.spin, a)) } : {}),
    pids: () => kids.map((k) => k.pid),
    close: () => Promise.all(kids.map((k) => stopChild(k.proc)))
  })
}
