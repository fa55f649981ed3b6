// @grpc/grpc-js + proto-loader over plaintext HTTP/2, one channel per worker.
import grpc from "@grpc/grpc-js"
import loader from "@grpc/proto-loader"
import { fileURLToPath } from "node:url"
import { promisePeer } from "../caller/promise-loops.mjs"
import { startChild, stopChild } from "../work/children.mjs"

const proto = fileURLToPath(new URL("shared/peers.proto", import.meta.url))
const limits = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 }

const streamOf = (client) => (n, capMs) =>
  new Promise((resolve, reject) => {
    const t = performance.now()
    let got = 0
    const items = client.items({ size: n })
    const done = () => resolve({ n: got, ms: performance.now() - t })
    items.on("data", () => {
      if (++got % 4096 || performance.now() - t < capMs) return
      items.cancel()
      done()
    })
    items.on("end", done)
    items.on("error", (e) => (e.code === grpc.status.CANCELLED ? undefined : reject(e)))
  })

export const start = async ({ workers }) => {
  const { peers } = grpc.loadPackageDefinition(loader.loadSync(proto, { longs: Number }))
  const one = async () => {
    const kid = await startChild("grpc-server.mjs")
    const client = new peers.Work(`127.0.0.1:${kid.ready.port}`, grpc.credentials.createInsecure(), limits)
    const call = (fn, arg) =>
      new Promise((resolve, reject) =>
        client[fn](arg, (error, r) => (error ? reject(error) : resolve(fn === "blob" ? r.data : r)))
      )
    return { ...kid, client, call }
  }
  const kids = await Promise.all(Array.from({ length: workers }, one))
  return promisePeer({
    call: kids[0].call,
    ...(workers > 1 ? { lanes: kids.map((k) => k.call) } : {}),
    lacks: { record: "not in the proto", payload: "not in the proto", prepare: "not in the proto" },
    stream: streamOf(kids[0].client),
    pids: () => kids.map((k) => k.pid),
    close: () => Promise.all(kids.map((k) => stopChild(k.proc)))
  })
}
