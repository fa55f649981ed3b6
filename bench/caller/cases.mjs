// The cases of bench/README.md. Each returns the figures that only the caller can measure.
import { blob, collect } from "../work/work.mjs"

const MiB = 2 ** 20
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const quantile = (sorted, p) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))]
const spread = (us) => {
  const sorted = us.toSorted((a, b) => a - b)
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), max: sorted.at(-1), n: sorted.length }
}
const growth = (before) => (process.memoryUsage().rss - before) / MiB

const oneLine = (error, length) =>
  String(error?.message ?? error)
    .split("\n")[0]
    .slice(0, length)

/** The result of a promise and the time until it settled. A promise that takes longer than `ms` counts as a hang. */
const settle = (promise, ms) => {
  const t = performance.now()
  const elapsed = () => Math.round((performance.now() - t) * 10) / 10
  const seen = promise.then(
    (value) => ({ outcome: "value", text: String(value).slice(0, 60), ms: elapsed() }),
    (e) => ({ outcome: "error", name: e?.name ?? typeof e, code: e?.code, text: oneLine(e, 160), ms: elapsed() })
  )
  return Promise.race([seen, sleep(ms).then(() => ({ outcome: "hang", ms }))])
}

export const makeCases = ({ options: o, section, start, infra, importMs, unhandled }) => {
  const loose = () => [...unhandled].slice(0, 3)

  const unary64 = async () => {
    const p = await start({ workers: 1 })
    await p.conc(64, o.warmMs)
    await p.seq(o.warmMs / 2)
    const one = await section("c1", p.pids(), async () => {
      const us = await p.seq(o.ms)
      return { us, n: us.length }
    })
    const many = await section("c64", p.pids(), () => p.conc(64, o.ms))
    // not a multiple of what fits into one write: peers that write early do so in other places than with 64
    const fewer = await section("c40", p.pids(), () => p.conc(40, o.ms))
    const { p50, p99, n } = spread(one.us)
    const rate = ({ ms, n }) => (n / ms) * 1000
    return { p50_us: p50, p99_us: p99, calls_c1: n, calls_per_s_c64: rate(many), calls_per_s_c40: rate(fewer) }
  }

  const burst = async () => {
    const p = await start({ workers: 1 })
    await p.conc(64, o.warmMs / 2)
    collect()
    const r = await section("burst", p.pids(), () => p.burst(o.burst), { peaks: true })
    return { burst_ms: r.ms, issue_ms: r.issued }
  }

  /** Makes both ends hold the values they will send before the section `one`, so that the section measures the memory of the call alone. */
  const settleMemory = async (p, kind) => {
    await p.prepare(kind === "payload" ? 0 : o.blob)
    if (kind === "payload") blob(o.blob)
    collect()
    await sleep(200)
  }

  const transfer = async (kind) => {
    const p = await start({ workers: 1 })
    if (p.lacks?.[kind]) return { na: p.lacks[kind] }
    await p.transfer(kind, MiB)
    if (!p.lacks?.prepare) await settleMemory(p, kind)
    const t = performance.now()
    await section("one", p.pids(), () => p.transfer(kind, o.blob), { peaks: true })
    const first = performance.now() - t
    if (first > 5000) return { mb_per_s: o.blob / 1e3 / first, reps: 1 }
    const again = async () => {
      const t = performance.now()
      let n = 0
      for (; n < 3 || (n < 8 && performance.now() - t < 2500); n++) await p.transfer(kind, o.blob)
      return { n, ms: performance.now() - t }
    }
    const r = await section("many", p.pids(), again, { peaks: true })
    return { mb_per_s: (o.blob * r.n) / 1e3 / r.ms, reps: r.n, value_mib: o.blob / MiB }
  }

  const beside = async () => {
    const p = await start({ workers: 1 })
    if (p.lacks?.result) return { na: p.lacks.result }
    await p.conc(64, o.warmMs / 2)
    await p.transfer("result", o.beside)
    await p.seq(o.warmMs / 2)
    const idle = spread(await section("alone", p.pids(), () => p.seq(o.ms)))
    const t = performance.now()
    const during = spread(await section("beside", p.pids(), () => p.beside(o.beside, o.besideTimes)))
    const each = (performance.now() - t) / o.besideTimes
    return { idle, during, big_ms: each, p50_ratio: during.p50 / idle.p50, p99_ratio: during.p99 / idle.p99 }
  }

  const waiting = async () => {
    const p = await start({ workers: 1 })
    if (!p.waiting) return { na: "no queue in the caller, or not one of Effect's" }
    await p.conc(64, o.warmMs)
    const sizes = [o.queue / 100, o.queue / 10, o.queue]
    const r = await section("waiting", p.pids(), () => p.waiting({ sizes, capacity: o.queue }))
    const totals = Object.values(r.per).map((c) => c.enter_us + c.serve_us)
    return { ...r, beyond_bytes: r.call_bytes - r.deferred_bytes, totals_us: totals, flat: totals.at(-1) / totals[0] }
  }

  /** Compares echoes called by the app with echoes called by a function on the worker that also serves the echoes. */
  const nested = async () => {
    const p = await start({ workers: 1 })
    if (!p.nested) return { na: "no calls inside of functions" }
    await p.conc(64, o.warmMs)
    await p.nested(64, o.warmMs)
    return compare(p, p.nested)
  }

  /** Compares echoes of a function with echoes of a service that is placed on the same worker. */
  const placed = async () => {
    const p = await start({ workers: 1 })
    if (!p.placed) return { na: "no placed services" }
    const service = await p.placed()
    await p.conc(64, o.warmMs)
    await service(64, o.warmMs)
    return compare(p, service)
  }

  /** Measures plain echoes and echoes by another way, one after the other and with 64 in flight. Returns microseconds each, and ratios. */
  const compare = async (p, way) => {
    const from = async (name, run) => {
      const r = await section(name, p.pids(), run)
      return (r.ms * 1000) / r.n
    }
    const plain1 = await from("plain1", () => p.conc(1, o.ms))
    const way1 = await from("way1", () => way(1, o.ms))
    const plain64 = await from("plain64", () => p.conc(64, o.ms))
    const way64 = await from("way64", () => way(64, o.ms))
    return { plain1_us: plain1, way1_us: way1, ratio1: way1 / plain1, ratio64: way64 / plain64 }
  }

  const stream = async () => {
    const p = await start({ workers: 1 })
    if (!p.stream) return { na: p.noStream ?? "no streams" }
    await p.stream(Math.min(50_000, o.items), 3000)
    const r = await section("stream", p.pids(), () => p.stream(o.items, o.capMs))
    return { items_per_s: (r.n / r.ms) * 1000, items: r.n }
  }

  const CHUNK = 64 * 1024

  const chunks = async () => {
    const p = await start({ workers: 1 })
    if (!p.chunks) return { na: p.noStream ?? "no streams" }
    await p.chunks(1000, CHUNK, 3000)
    const r = await section("chunks", p.pids(), () => p.chunks(o.chunks, CHUNK, o.capMs), { peaks: true })
    return { mb_per_s: (r.n * CHUNK) / 1e3 / r.ms, chunks: r.n }
  }

  /** The chunks of `chunks` over a line with a long round trip. */
  const far = async () => {
    const p = await start({ workers: 1, line: o.roundTrip })
    if (!p.isFar) return { na: "its line cannot be delayed here" }
    await p.chunks(100, CHUNK, 3000)
    const r = await section("far", p.pids(), () => p.chunks(o.chunks, CHUNK, o.capMs))
    return { mb_per_s: (r.n * CHUNK) / 1e3 / r.ms, chunks: r.n, round_trip_ms: o.roundTrip }
  }

  const cpu = async () => {
    const p = await start({ workers: 2, exclusive: true })
    await p.cpu(20, o.iters)
    const alone = []
    for (let i = 0; i < 9; i++) alone.push((await p.spin(o.iters)).ms)
    const task = quantile(
      alone.toSorted((a, b) => a - b),
      0.5
    )
    const r = await section("cpu", p.pids(), async () => ({ ...(await p.cpu(o.tasks, o.iters)), n: o.tasks }))
    const ideal = (task * o.tasks) / 2
    return { cpu_ms: r.ms, ideal_ms: ideal, over_ideal: r.ms / ideal, over_busy: r.ms / (r.sum / 2), task_ms: task }
  }

  const boot = async () => {
    const ti = performance.now()
    const around = await infra?.()
    const infraMs = performance.now() - ti
    collect()
    const rss = process.memoryUsage().rss
    const { p, ms } = await section("boot", [], async () => {
      const t = performance.now()
      const p = await start({ workers: 1, infra: around })
      await p.echo(1)
      return { p, ms: performance.now() - t }
    })
    await p.learn?.()
    await sleep(1200)
    collect()
    const grown = growth(rss)
    await section("idle", p.pids(), () => sleep(1000))
    return { boot_ms: ms, import_ms: importMs, ...(infra ? { infra_ms: infraMs } : {}), caller_growth_mib: grown }
  }

  /** Boots of a second pool in this process, whose code is warm: the baseline for the first call after a fault. */
  const plainBoots = async () => {
    const all = []
    for (let i = 0; i < 3; i++) {
      const t = performance.now()
      const p = await start({ workers: 1 })
      await p.echo(1)
      all.push(performance.now() - t)
      await p.close()
    }
    return quantile(
      all.toSorted((a, b) => a - b),
      0.5
    )
  }

  const fault = async () => {
    const p = await start({ workers: 1 })
    for (let i = 0; i < 20; i++) await p.echo(i)
    const bootMs = p.reboots ? await section("boots", [], plainBoots) : undefined
    const pending = p.hang()
    pending.catch(() => {})
    await sleep(400)
    return section("fault", [], async () => {
      const t = performance.now()
      const how = p.kill ? await p.kill() : (process.kill(p.pids()[0], "SIGKILL"), "SIGKILL")
      const seen = await settle(pending, o.faultMs)
      const next = await settle((async () => p.echo(2))(), 10_000)
      const sinceKill = performance.now() - t
      return { how, ...seen, next_call: next, next_since_kill_ms: sinceKill, boot_ms: bootMs, unhandled: loose() }
    })
  }

  const queue = async () => {
    const p = await start({ workers: 1 })
    for (let i = 0; i < 20; i++) await p.echo(i)
    collect()
    const rss = process.memoryUsage().rss
    const t = performance.now()
    let rejected = 0
    let first
    const refuse = (how, e) => {
      rejected++
      first ??= `${how}${e?.name}: ${oneLine(e, 140)}`
    }
    for (let i = 0; i < o.queue; i++) {
      try {
        p.hang().catch((e) => refuse("", e))
      } catch (e) {
        refuse("thrown ", e)
      }
    }
    const submitMs = performance.now() - t
    await sleep(3000)
    const probe = await settle((async () => p.echo(1))(), 5000)
    const grown = growth(rss)
    return {
      submitted: o.queue,
      rejected,
      first_error: first,
      submit_ms: submitMs,
      caller_growth_mib: grown,
      probe,
      unhandled: loose()
    }
  }

  return {
    unary64,
    burst,
    result64MiB: () => transfer("result"),
    record64MiB: () => transfer("record"),
    payload64MiB: () => transfer("payload"),
    beside,
    waiting,
    nested,
    placed,
    stream,
    chunks,
    far,
    cpu,
    boot,
    fault,
    queue
  }
}
