// Load loops for peers with a promise API. `call(fn, arg)` runs one of work.mjs `functions` on the far side.
import { blob, checkBlob, item } from "../work/work.mjs"

const now = () => performance.now()
const checkEcho = (sent, got) => {
  if (got.id !== sent.id || got.text.length !== sent.text.length) throw new Error("wrong echo")
}

/**
 * Makes a peer. call: runs on any worker. lanes (optional): one `call` per worker, for peers without a pool of their own; the
 * `cpu` case then keeps exactly one task in flight per lane.
 */
export const promisePeer = ({ call, lanes, ...rest }) => {
  const seq = async (ms) => {
    const out = []
    const end = now() + ms
    for (let i = 0; ; i++) {
      const t = now()
      if (t >= end && (out.length >= 20 || t >= end + 10_000)) return out
      const sent = item(i)
      const got = await call("echo", sent)
      out.push((now() - t) * 1000)
      checkEcho(sent, got)
    }
  }
  const conc = async (c, ms) => {
    const t = now()
    const end = t + ms
    let n = 0
    const lane = async () => {
      while (now() < end) {
        await call("echo", item(n))
        n++
      }
    }
    await Promise.all(Array.from({ length: c }, lane))
    return { n, ms: now() - t }
  }
  const burst = async (n) => {
    const t = now()
    const all = new Array(n)
    for (let i = 0; i < n; i++) all[i] = call("echo", item(i))
    const issued = now() - t
    await Promise.all(all)
    return { n, ms: now() - t, issued }
  }
  const transfer = {
    result: async (size) => checkBlob(await call("blob", { size }), size),
    record: async (size) => checkBlob((await call("record", { size })).data, size),
    payload: async (size) => {
      if ((await call("sink", blob(size))) !== size) throw new Error("wrong sink")
    }
  }
  const beside = async (size, times) => {
    const out = []
    for (let k = 0; k < times; k++) {
      const state = { flying: true }
      const big = transfer.result(size).finally(() => (state.flying = false))
      while (state.flying) {
        const t = now()
        await call("echo", item(out.length))
        out.push((now() - t) * 1000)
      }
      await big
    }
    return out
  }
  const cpu = async (tasks, iters) => {
    const t = now()
    let sum = 0
    let left = tasks
    const add = ({ ms }) => (sum += ms)
    const drain = async (lane) => {
      while (left-- > 0) add(await lane("spin", { iters }))
    }
    await Promise.all(
      lanes ? lanes.map(drain) : Array.from({ length: tasks }, async () => add(await call("spin", { iters })))
    )
    return { ms: now() - t, sum }
  }
  return {
    echo: (i = 0) => call("echo", item(i)),
    seq,
    conc,
    burst,
    transfer: (kind, size) => transfer[kind](size),
    prepare: (size) => call("prepare", { size }),
    beside,
    cpu,
    spin: (iters) => call("spin", { iters }),
    hang: () => call("hang", {}),
    ...rest
  }
}
