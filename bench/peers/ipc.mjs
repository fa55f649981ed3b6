// node:child_process fork() with an IPC channel. The variants are Node's two serializations, and `app`: advanced, in a caller
// that has loaded Effect as an app would. V8 marks the whole heap for every 20 MB of chunks, so the heap's size (4 MB, or 18 MB
// with Effect) changes the result.
import { promisePeer } from "../caller/promise-loops.mjs"
import { checkBlob } from "../work/work.mjs"
import { startChild, stopChild } from "../work/children.mjs"

const client = ({ proc }) => {
  const pending = new Map()
  let next = 0
  const chunks = new Map()
  proc.on("message", ({ chunk, id, r }) => {
    if (chunk !== undefined) return chunks.get(id)(chunk)
    pending.get(id).resolve(r)
    pending.delete(id)
  })
  proc.on("exit", (code, signal) => {
    for (const waiting of pending.values()) waiting.reject(new Error(`child exited ${code ?? signal}`))
    pending.clear()
  })
  return (fn, arg, look) =>
    new Promise((resolve, reject) => {
      const id = ++next
      if (look) chunks.set(id, look)
      pending.set(id, { resolve, reject })
      proc.send({ id, fn, arg }, (error) => {
        if (error && pending.delete(id)) reject(error)
      })
    })
}

export const start = async ({ workers, variant }) => {
  if (variant === "app") globalThis.loaded = await import("effect")
  const serialization = variant === "json" ? "json" : "advanced"
  const kids = await Promise.all(
    Array.from({ length: workers }, () => startChild("ipc-child.mjs", [], { serialization }))
  )
  const calls = kids.map(client)
  const why = "JSON turns a Uint8Array into an object"
  return promisePeer({
    call: calls[0],
    ...(workers > 1 ? { lanes: calls } : {}),
    lacks: variant === "json" ? { result: why, record: why, payload: why } : {},
    // As a user would write it, the far side sends the next chunk when the kernel has accepted the previous one.
    chunks: async (n, size) => {
      const t = performance.now()
      let got = 0
      await calls[0]("chunks", { n, size }, (bytes) => {
        checkBlob(bytes, size)
        got++
      })
      return { n: got, ms: performance.now() - t }
    },
    noStream: "no streams: send() has no backpressure",
    pids: () => kids.map((k) => k.pid),
    close: () => Promise.all(kids.map((k) => stopChild(k.proc)))
  })
}
