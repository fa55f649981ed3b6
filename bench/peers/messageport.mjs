// worker_threads, raw postMessage. Variant transfer: the 64 MiB result is made for each call and transferred instead of cloned.
import { Worker } from "node:worker_threads"
import { promisePeer } from "../caller/promise-loops.mjs"
import { far } from "../work/children.mjs"

const startThread = (transfer) =>
  new Promise((resolve, reject) => {
    const thread = new Worker(far("thread.mjs"), { workerData: { transfer } })
    const pending = new Map()
    let next = 0
    const call = (fn, arg) =>
      new Promise((resolve, reject) => {
        const id = ++next
        pending.set(id, { resolve, reject })
        thread.postMessage({ id, fn, arg })
      })
    thread.once("error", reject)
    thread.once("message", () => {
      thread.on("message", ({ id, r }) => {
        pending.get(id).resolve(r)
        pending.delete(id)
      })
      thread.on("exit", (code) => {
        for (const waiting of pending.values()) waiting.reject(new Error(`worker exited ${code}`))
        pending.clear()
      })
      resolve({ thread, call })
    })
  })

export const start = async ({ workers, variant }) => {
  const kids = await Promise.all(Array.from({ length: workers }, () => startThread(variant === "transfer")))
  return promisePeer({
    call: kids[0].call,
    ...(workers > 1 ? { lanes: kids.map((k) => k.call) } : {}),
    noStream: "no streams: postMessage has no backpressure",
    pids: () => [],
    kill: () => {
      kids[0].call("exit").catch(() => {})
      return "thread calls process.exit(7)"
    },
    close: () => Promise.all(kids.map((k) => k.thread.terminate()))
  })
}
