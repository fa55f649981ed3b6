// piscina 5 (worker_threads, Atomics wake-up). Its default is one task per thread; `unary64` and `burst` allow 64.
import { Piscina } from "piscina"
import { promisePeer } from "../caller/promise-loops.mjs"
import { far } from "../work/children.mjs"

export const start = async ({ workers, exclusive }) => {
  const pool = new Piscina({
    filename: far("pool-task.mjs"),
    minThreads: workers,
    maxThreads: workers,
    idleTimeout: Infinity,
    concurrentTasksPerWorker: exclusive ? 1 : 64
  })
  const call = (fn, arg) => pool.run({ fn, arg })
  return promisePeer({
    call,
    noStream: "no streams (a MessagePort by hand)",
    pids: () => [],
    kill: () => {
      call("exit").catch(() => {})
      return "thread calls process.exit(7)"
    },
    close: () => pool.destroy()
  })
}
