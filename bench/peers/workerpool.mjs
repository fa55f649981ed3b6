// workerpool 10; process (fork + IPC) or thread. One task per worker at a time, first in first out.
import workerpool from "workerpool"
import { promisePeer } from "../caller/promise-loops.mjs"
import { far } from "../work/children.mjs"

export const start = async ({ workers, variant }) => {
  const inProcess = variant === "process"
  const pool = workerpool.pool(far("workerpool-worker.mjs"), {
    workerType: variant,
    minWorkers: workers,
    maxWorkers: workers,
    ...(inProcess ? { forkOpts: { serialization: "advanced" } } : {})
  })
  const call = async (fn, arg) => await pool.exec(fn, [arg])
  let pid
  return promisePeer({
    call,
    noStream: "no streams (workerEmit events without backpressure)",
    learn: async () => inProcess && (pid = await call("pid", {})),
    pids: () => (pid ? [pid] : []),
    ...(inProcess ? {} : { kill: () => "n/a" }),
    close: () => pool.terminate(true)
  })
}
