// The far side of raw postMessage in a worker thread.
import { parentPort, workerData } from "node:worker_threads"
import { functions } from "../../work/work.mjs"
parentPort.on("message", ({ id, fn, arg }) => {
  if (fn === "blob" && workerData.transfer) {
    const bytes = new Uint8Array(arg.size).fill(7)
    return parentPort.postMessage({ id, r: bytes }, [bytes.buffer])
  }
  const answer = (r) => parentPort.postMessage({ id, r })
  const r = functions[fn](arg)
  if (r instanceof Promise) void r.then(answer)
  else answer(r)
})
parentPort.postMessage("ready")
