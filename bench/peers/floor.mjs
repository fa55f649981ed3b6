// The lower bound on Node. socketpair: 64 bytes there and back over stdio[3], without frames and promises. The c=1 loop is two
// event handlers; the c=64 loop writes the answers of one turn in one write. fork: a bare child answers one IPC message.
import cp from "node:child_process"
import { far, stopChild } from "../work/children.mjs"
import { promisePeer } from "../caller/promise-loops.mjs"

const SIZE = 64
const now = () => performance.now()

/** Calls `onEcho` for each echo of `SIZE` bytes. */
const onEchoes = (pair, onEcho) => {
  let have = 0
  const read = (chunk) => {
    have += chunk.length
    for (; have >= SIZE; have -= SIZE) onEcho()
  }
  pair.on("data", read)
  return () => pair.off("data", read)
}

const pingPong = (pair, ms) =>
  new Promise((resolve) => {
    const body = Buffer.alloc(SIZE, 120)
    const out = []
    const end = now() + ms
    let t = now()
    const off = onEchoes(pair, () => {
      const back = now()
      out.push((back - t) * 1000)
      if (back >= end) {
        off()
        return resolve(out)
      }
      t = now()
      pair.write(body)
    })
    pair.write(body)
  })

const lanes = (pair, count, ms) =>
  new Promise((resolve) => {
    const t = now()
    const end = t + ms
    let n = 0
    let flying = 0
    let owed = 0
    const flush = () => {
      if (owed) pair.write(Buffer.alloc(SIZE * owed, 120))
      flying += owed
      owed = 0
    }
    const off = onEchoes(pair, () => {
      n++
      flying--
      if (now() < end) {
        if (owed++ === 0) process.nextTick(flush)
        return
      }
      if (flying || owed) return
      off()
      resolve({ n, ms: now() - t })
    })
    owed = count
    flush()
  })

const startPair = async () => {
  const proc = cp.spawn(process.execPath, [far("floor-socketpair.mjs")], {
    stdio: ["ignore", "inherit", "inherit", "pipe"]
  })
  const pair = proc.stdio[3]
  pair.on("error", () => {})
  const once = () => lanes(pair, 1, 0)
  await once()
  return {
    echo: once,
    seq: (ms) => pingPong(pair, ms),
    conc: (c, ms) => lanes(pair, c, ms),
    burst: async (n) => ({ n, ms: (await lanes(pair, n, 0)).ms }),
    pids: () => [proc.pid],
    close: () => stopChild(proc)
  }
}

const startFork = async () => {
  const proc = cp.fork(far("floor-fork.mjs"), [], { execArgv: [] })
  const call = (_, arg) =>
    new Promise((resolve) => {
      proc.once("message", resolve)
      proc.send(arg)
    })
  return promisePeer({ call, pids: () => [proc.pid], close: () => stopChild(proc) })
}

export const start = ({ variant }) => (variant === "fork" ? startFork() : startPair())
