// The targets of the project, as data. `ours` and `other` are "case/peer/figure" of a results file; `times` and `plus`
// make the limit of `other`, or `limit` is given. `aim` is stricter than the target and does not change the verdict.
const ms = { unit: "ms" }

export const targets = [
  {
    title: "64 in flight: calls/s ≥ 1.6 × piscina",
    ours: "unary64/OURS/rate",
    other: "unary64/piscina/rate",
    times: 1.6,
    more: true
  },
  {
    title: "64 in flight: calls/s ≥ 4 × stock Effect RPC",
    ours: "unary64/OURS/rate",
    other: "unary64/effect-rpc:tcp/rate",
    times: 4,
    more: true
  },
  {
    title: "64 in flight: CPU per call ≤ 0.35 × piscina",
    ours: "unary64/OURS/cpu",
    other: "unary64/piscina/cpu",
    times: 0.35,
    unit: "µs"
  },
  {
    title: "40 in flight: CPU per call ≤ 0.35 × piscina",
    ours: "unary64/OURS/cpu40",
    other: "unary64/piscina/cpu40",
    times: 0.35,
    unit: "µs"
  },
  {
    title: "one after the other: p50 ≤ 1.5 × raw socketpair",
    ours: "unary64/OURS/p50",
    other: "unary64/floor:socketpair/p50",
    times: 1.5,
    aim: 1.2,
    unit: "µs"
  },
  {
    title: "the same by the best round of each",
    ours: "unary64/OURS/p50best",
    other: "unary64/floor:socketpair/p50best",
    times: 1.5,
    aim: 1.2,
    unit: "µs"
  },
  {
    title: "with a tracer: CPU per warm call ≤ 1.4 ×",
    ours: "unary64/flame:traced/cpu",
    other: "unary64/OURS/cpu",
    times: 1.4,
    unit: "µs"
  },
  {
    title: "burst of 10 000: ≤ 0.9 × child IPC's time",
    ours: "burst/OURS/ms",
    other: "burst/ipc:advanced/ms",
    times: 0.9,
    ...ms
  },
  { title: "burst of 10 000: caller grows ≤ 25 MiB", ours: "burst/OURS/growth", limit: 25, unit: "MiB" },
  {
    title: "64 MiB result: MB/s ≥ child IPC",
    ours: "result64MiB/OURS/mbps",
    other: "result64MiB/ipc:advanced/mbps",
    times: 1,
    more: true
  },
  {
    title: "64 MiB result: MB/s, aim 0.85 × raw TCP",
    ours: "result64MiB/OURS/mbps",
    other: "result64MiB/raw:tcp-batch/mbps",
    times: 0.85,
    more: true,
    wish: true
  },
  {
    title: "64 MiB result: caller's peak above the value ≤ 1.3 ×",
    ours: "result64MiB/OURS/callerAbove",
    limit: 1.3,
    unit: "×"
  },
  {
    title: "64 MiB result: runner's peak above the value ≤ 1.3 ×",
    ours: "result64MiB/OURS/farAbove",
    limit: 1.3,
    unit: "×"
  },
  {
    title: "64 MiB in a record: caller's peak above the value ≤ 2.5 ×",
    ours: "record64MiB/OURS/callerAbove",
    limit: 2.5,
    unit: "×"
  },
  {
    title: "64 MiB in a record: runner's peak above the value ≤ 2.5 ×",
    ours: "record64MiB/OURS/farAbove",
    limit: 2.5,
    unit: "×"
  },
  {
    title: "64 MiB payload: caller's peak above the value ≤ 1.3 ×",
    ours: "payload64MiB/OURS/callerAbove",
    limit: 1.3,
    unit: "×"
  },
  {
    title: "64 MiB payload: runner's peak above the value ≤ 1.3 ×",
    ours: "payload64MiB/OURS/farAbove",
    limit: 1.3,
    unit: "×"
  },
  { title: "beside a 256 MiB result: small call's p50 ≤ 5 × idle", ours: "beside/OURS/p50ratio", limit: 5, unit: "×" },
  { title: "the same for p99 against idle p99", ours: "beside/OURS/p99ratio", limit: 5, unit: "×" },
  { title: "100 000 waiting: ≤ 200 bytes each beyond a Deferred", ours: "waiting/OURS/bytes", limit: 200, unit: "B" },
  {
    title: "100 000 waiting: cost per call flat (≤ 1.5 × that of 1 000)",
    ours: "waiting/OURS/flat",
    limit: 1.5,
    unit: "×"
  },
  {
    title: "stream of small items: items/s ≥ stock Effect RPC",
    ours: "stream/OURS/rate",
    other: "stream/effect-rpc:tcp/rate",
    times: 1,
    aim: 2,
    more: true
  },
  {
    title: "stream of small items: items/s ≥ 10 × grpc-js",
    ours: "stream/OURS/rate",
    other: "stream/grpc-js/rate",
    times: 10,
    more: true
  },
  {
    title: "64 KiB chunks: MB/s ≥ 0.9 × child IPC",
    ours: "chunks/OURS/rate",
    other: "chunks/ipc:advanced/rate",
    times: 0.9,
    more: true
  },
  {
    title: "64 KiB chunks: MB/s ≥ child IPC of a process that has Effect loaded",
    ours: "chunks/OURS/rate",
    other: "chunks/ipc:app/rate",
    times: 1,
    more: true
  },
  {
    title: "64 KiB chunks over 10 ms: MB/s ≥ 20 × stock Effect RPC",
    ours: "far/OURS/rate",
    other: "far/effect-rpc:tcp/rate",
    times: 20,
    more: true
  },
  { title: "nested call: ≤ 2.5 × a plain one, one after the other", ours: "nested/OURS/ratio1", limit: 2.5, unit: "×" },
  { title: "nested call: ≤ 2.5 × a plain one, 64 in flight", ours: "nested/OURS/ratio64", limit: 2.5, unit: "×" },
  { title: "nested call: CPU ≤ 1.5 × a plain one, 64 in flight", ours: "nested/OURS/cpuRatio", limit: 1.5, unit: "×" },
  {
    title: "call into a placed service: ≤ 1.1 × Flame.call, one after the other",
    ours: "placed/OURS/ratio1",
    limit: 1.1,
    unit: "×"
  },
  {
    title: "call into a placed service: ≤ 1.1 × Flame.call, 64 in flight",
    ours: "placed/OURS/ratio64",
    limit: 1.1,
    unit: "×"
  },
  {
    title: "call into a placed service: CPU ≤ 1.1 × Flame.call, 64 in flight",
    ours: "placed/OURS/cpuRatio",
    limit: 1.1,
    unit: "×"
  },
  { title: "beyond capacity: refused at once (≤ 1 ms)", ours: "waiting/OURS/refused", limit: 1, ...ms },
  { title: "200 × 20 ms over 2 runners: within 3 % of ideal", ours: "cpu/OURS/ideal", limit: 1.03, unit: "×" },
  { title: "runner killed: typed error within 10 ms + reasonGrace (50 ms)", ours: "fault/OURS/seen", limit: 60, ...ms },
  {
    title: "runner killed: next call within a boot + 10 ms of the kill",
    ours: "fault/OURS/sinceKill",
    other: "fault/OURS/boot",
    plus: 10,
    ...ms
  },
  {
    title: "boot to first result, bundled: ≤ bare Node fork + 40 ms",
    ours: "boot/OURS/ms",
    other: "boot/floor:fork/ms",
    plus: 40,
    ...ms
  },
  {
    title: "boot to first result, bundled and with a compile cache: ≤ bare Node fork + 40 ms",
    ours: "boot/flame:cached/ms",
    other: "boot/floor:fork/ms",
    plus: 40,
    ...ms
  },
  { title: "boot from source, thin doors: ≤ 180 ms", ours: "boot/flame:source/ms", limit: 180, ...ms },
  { title: "idle runner, bundled: ≤ 65 MiB", ours: "boot/OURS/rss", limit: 65, unit: "MiB" },
  {
    title: "boot from source, thin doors: ≤ 1/3 of the barrel import",
    ours: "boot/flame:source/ms",
    other: "boot/flame:barrel/ms",
    times: 1 / 3,
    ...ms
  },
  {
    title: "the same, the barrel of @effect/platform-node included",
    ours: "boot/flame:source/ms",
    other: "boot/flame:barrel-node/ms",
    times: 1 / 3,
    wish: true,
    ...ms
  }
]

/** Figures of the original FLAME, measured once on a machine of this kind. The gate does not measure them again. */
export const original =
  "For comparison, the original on such a machine: 60 000 calls/s at 32 µs CPU each, p50 32–54 µs, cold call 357 ms, idle runner 141 MB."

const figure = (summary, path, peer) => {
  const [kase, id, key] = path.replace("OURS", peer).split("/")
  const row = summary[kase]?.[id]
  return row?.failed ? { failed: row.failed } : row?.[key]
}

const judgeOne = (target, ours, other) => {
  if (ours?.value === undefined) return { verdict: "open", why: ours?.failed ?? "not measured" }
  const measured = ours.value
  if (target.other && other?.value === undefined)
    return { measured, verdict: "open", why: other?.failed ?? `${target.other} not measured` }
  const limit = target.limit ?? other.value * (target.times ?? 1) + (target.plus ?? 0)
  const ok = target.more ? measured >= limit : measured <= limit
  return {
    measured,
    spread: [ours.min, ours.max],
    limit,
    off: Math.abs(measured - limit) / Math.abs(limit),
    verdict: ok ? "pass" : "missed",
    ...(target.times === undefined ? {} : { factor: measured / other.value })
  }
}

/** The verdict of each target: pass, missed (by what part of the limit), or why the target could not be judged. */
export const judge = (summary, peer) =>
  targets.map((target) => {
    const other = target.other && figure(summary, target.other, peer)
    return Object.assign({}, target, judgeOne(target, figure(summary, target.ours, peer), other))
  })
