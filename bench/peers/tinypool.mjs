// tinypool 2; child_process runtime (JSON-like IPC) or worker_threads.
import { Tinypool } from "tinypool"
import { promisePeer } from "../caller/promise-loops.mjs"
import { far } from "../work/children.mjs"

export const start = async ({ workers, variant, exclusive }) => {
  const pool = new Tinypool({
    filename: far("pool-task.mjs"),
    runtime: variant,
    minThreads: workers,
    maxThreads: workers,
    idleTimeout: 3_600_000,
    concurrentTasksPerWorker: exclusive ? 1 : 64
  })
  const call = (fn, arg) => pool.run({ fn, arg })
  const shared = { call, noStream: "no streams", close: () => pool.destroy() }
  if (variant !== "child_process") {
    const kill = () => {
      call("exit").catch(() => {})
      return "thread calls process.exit(7)"
    }
    return promisePeer({ ...shared, kill, pids: () => [] })
  }
  const why = "cannot carry a Uint8Array (JSON IPC)"
  let pid
  return promisePeer({
    ...shared,
    lacks: { result: why, record: why, payload: why },
    learn: async () => (pid = await call("pid")),
    pids: () => (pid ? [pid] : [])
  })
}
