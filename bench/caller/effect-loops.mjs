// Load loops for peers with an Effect API: each loop is one Effect, as in a user's program. Each peer passes its own copy of
// effect's modules, so that no process mixes two copies.
import { blob, checkBlob, item } from "../work/work.mjs"
import { makeWaiting } from "./waiting.mjs"

const now = () => performance.now()
const all = { concurrency: "unbounded", discard: true }

/** The loops of small calls. */
export const makeLoops = ({ Effect }, echo) => {
  const seq = Effect.fnUntraced(function* (ms) {
    const out = []
    const end = now() + ms
    for (let i = 0; ; i++) {
      const t = now()
      if (t >= end && (out.length >= 20 || t >= end + 10_000)) return out
      const sent = item(i)
      const got = yield* echo(sent)
      out.push((now() - t) * 1000)
      if (got.id !== sent.id || got.text.length !== sent.text.length) throw new Error("wrong echo")
    }
  })
  const conc = Effect.fnUntraced(function* (c, ms) {
    const t = now()
    const end = t + ms
    let n = 0
    const lane = Effect.gen(function* () {
      while (now() < end) {
        yield* echo(item(n))
        n++
      }
    })
    yield* Effect.forEach(Array.from({ length: c }), () => lane, all)
    return { n, ms: now() - t }
  })
  const burst = Effect.fnUntraced(function* (n) {
    const t = now()
    yield* Effect.forEach(Array.from({ length: n }), (_, i) => echo(item(i)), all)
    return { n, ms: now() - t }
  })
  return { seq, conc, burst }
}

export const makeEffectPeer = (modules) => {
  const { Cause, Effect, Stream } = modules

  const describe = (cause) => {
    if (Cause.hasInterruptsOnly(cause)) return Object.assign(new Error("interrupted"), { name: "Cause(Interrupt)" })
    const e = Cause.squash(cause)
    const kind = cause.reasons?.map((r) => r._tag).join("+") ?? "?"
    const inner = e?.reason?._tag ?? e?.cause?._tag ?? ""
    const name = `${kind}:${e?._tag ?? e?.name ?? typeof e}${inner ? `/${inner}` : ""}`
    return Object.assign(new Error(String(e?.message ?? e)), { name })
  }

  const makeTransfer = ({ blob: result, record, sink }) => ({
    result: (size) => Effect.map(result({ size }), (bytes) => checkBlob(bytes, size)),
    record: (size) => Effect.map(record({ size }), ({ data }) => checkBlob(data, size)),
    payload: (size) =>
      Effect.map(
        Effect.suspend(() => sink(blob(size))),
        (got) => {
          if (got !== size) throw new Error("wrong sink")
        }
      )
  })

  const makeCpu = (spin, lanes) =>
    Effect.fnUntraced(function* (tasks, iters) {
      const t = now()
      let sum = 0
      let left = tasks
      const add = ({ ms }) => (sum += ms)
      const drain = Effect.fnUntraced(function* (lane) {
        while (left-- > 0) add(yield* lane({ iters }))
      })
      if (lanes) yield* Effect.forEach(lanes, drain, all)
      else yield* Effect.forEach(Array.from({ length: tasks }), () => Effect.map(spin({ iters }), add), all)
      return { ms: now() - t, sum }
    })

  const makeBeside = (echo, result) =>
    Effect.fnUntraced(function* (size, times) {
      const out = []
      for (let k = 0; k < times; k++) {
        const big = { flying: true }
        const carry = Effect.ensuring(
          result(size),
          Effect.sync(() => (big.flying = false))
        )
        const small = Effect.gen(function* () {
          while (big.flying) {
            const t = now()
            yield* echo(item(out.length))
            out.push((now() - t) * 1000)
          }
        })
        yield* Effect.all([carry, small], all)
      }
      return out
    })

  const makeStream = (items) =>
    Effect.fnUntraced(function* (n, capMs) {
      const t = now()
      let got = 0
      const look = (chunk) =>
        Effect.sync(() => {
          got += chunk.length
          for (const { text } of chunk) if (text.length !== 39) throw new Error("wrong item")
        })
      const open = Stream.takeWhile(items(n), () => now() - t < capMs)
      yield* Stream.runForEachArray(open, look)
      return { n: got, ms: now() - t }
    })

  /** Takes chunks of one size until `n` have arrived or the time is over. */
  const makeChunks = (chunks) =>
    Effect.fnUntraced(function* (n, size, capMs) {
      const t = now()
      let got = 0
      const look = (some) =>
        Effect.sync(() => {
          got += some.length
          for (const bytes of some) checkBlob(bytes, size)
        })
      const open = Stream.takeWhile(chunks(n, size), () => now() - t < capMs)
      yield* Stream.runForEachArray(open, look)
      return { n: got, ms: now() - t }
    })

  /**
   * echo, blob, record, sink, prepare, spin, hang: argument => Effect; items: n => Stream, chunks: (n, size) => Stream. lanes: one spin per worker, or absent
   * when the peer has a pool. slots: how many calls run before the next one waits in the caller; without it there is no
   * `waiting` case.
   */
  return ({ run, chunks, echo, hang, items, lanes, prepare, slots, spin, blob, record, sink, ...rest }) => {
    const loops = makeLoops(modules, echo)
    const transfer = makeTransfer({ blob, record, sink })
    const cpu = makeCpu(spin, lanes)
    const beside = makeBeside(echo, transfer.result)
    const stream = items && makeStream(items)
    const chunked = chunks && makeChunks(chunks)
    const waiting = slots && makeWaiting(modules, { describe, echo, hang, slots })
    return {
      echo: (i = 0) => run(echo(item(i))),
      seq: (ms) => run(loops.seq(ms)),
      conc: (c, ms) => run(loops.conc(c, ms)),
      burst: (n) => run(loops.burst(n)),
      transfer: (kind, size) => run(transfer[kind](size)),
      prepare: (size) => run(prepare(size)),
      beside: (size, times) => run(beside(size, times)),
      cpu: (tasks, iters) => run(cpu(tasks, iters)),
      spin: (iters) => run((lanes?.[0] ?? spin)({ iters })),
      hang: async () => {
        const exit = await run(Effect.exit(hang()))
        if (exit._tag === "Failure") throw describe(exit.cause)
      },
      ...(stream ? { stream: (n, capMs) => run(stream(n, capMs)) } : {}),
      ...(chunked ? { chunks: (n, size, capMs) => run(chunked(n, size, capMs)) } : {}),
      ...(waiting ? { waiting: (options) => run(waiting(options)) } : {}),
      ...rest
    }
  }
}
