// The figures of each case: key, label, how to compute the figure from a sample, and how to combine the rounds.
const data = (key) => (s) => s.data?.[key]
const section = (name, key) => (s) => s.sections[name]?.[key]
const cpuRatio = (a, b) => (s) => {
  const [one, other] = [s.sections[a], s.sections[b]]
  return one && other && one.cpu_us_per_call / other.cpu_us_per_call
}
const grown = (name, who) => (s) => {
  const mem = s.sections[name]?.[who]
  return mem && mem.peak - mem.before
}

/**
 * Growth of the peak memory since before the first call, in multiples of the value's size. The receiver's own copy of the value
 * is subtracted. The sender already held its value.
 */
const above = (name, who, receives) => (s) => {
  const before = s.sections.one?.[who]?.before
  const value = s.data?.value_mib
  if (before === undefined || !value) return undefined
  return (s.sections[name][who].peak - before) / value - (receives ? 1 : 0)
}

export const median = (values) => {
  const a = values.toSorted((x, y) => x - y)
  return a.length % 2 ? a[(a.length - 1) / 2] : (a[a.length / 2 - 1] + a[a.length / 2]) / 2
}
const best = (values) => Math.min(...values)

const transfer = (receiver) => {
  const caller = receiver === "caller"
  return [
    ["mbps", "MB/s", data("mb_per_s")],
    ["cpu", "CPU ms per call", (s) => s.sections.many && s.sections.many.cpu_ms / s.sections.many.n],
    ["callerAbove", "caller: peak above the value (× value)", above("one", "caller", caller)],
    ["farAbove", "far side: peak above the value (× value)", above("one", "worker", !caller)],
    ["callerAboveMany", "caller: the same over several calls", above("many", "caller", caller)],
    ["farAboveMany", "far side: the same over several calls", above("many", "worker", !caller)]
  ]
}

const besidePlain = (way) => [
  ["plain1", "plain, µs c=1", data("plain1_us")],
  ["way1", `${way}, µs c=1`, data("way1_us")],
  ["ratio1", `${way} / plain, c=1`, data("ratio1")],
  ["ratio64", `${way} / plain, 64 in flight`, data("ratio64")],
  ["cpu", "CPU µs, plain", section("plain64", "cpu_us_per_call")],
  ["cpuWay", `CPU µs, ${way}`, section("way64", "cpu_us_per_call")],
  ["cpuRatio", `CPU, ${way} / plain`, cpuRatio("way64", "plain64")],
  ["cpuRatio1", "the same at c=1", cpuRatio("way1", "plain1")]
]

const METRICS = {
  unary64: [
    ["p50", "p50 µs c=1", data("p50_us")],
    ["p50best", "best round's p50", data("p50_us"), best],
    ["p99", "p99 µs c=1", data("p99_us")],
    ["rate", "calls/s c=64", data("calls_per_s_c64")],
    ["cpu", "CPU µs/call c=64", section("c64", "cpu_us_per_call")],
    ["callerCpu", "caller CPU µs/call c=64", section("c64", "caller_cpu_us_per_call")],
    ["rate40", "calls/s c=40", data("calls_per_s_c40")],
    ["cpu40", "CPU µs/call c=40", section("c40", "cpu_us_per_call")],
    ["cpu1", "CPU µs/call c=1", section("c1", "cpu_us_per_call")]
  ],
  burst: [
    ["ms", "total ms", data("burst_ms")],
    ["growth", "caller growth MiB", grown("burst", "caller")],
    ["peak", "caller peak RSS MiB", (s) => s.sections.burst?.caller?.peak],
    ["cpu", "CPU ms", section("burst", "cpu_ms")]
  ],
  result64MiB: transfer("caller"),
  record64MiB: transfer("caller"),
  payload64MiB: transfer("far side"),
  beside: [
    ["idle50", "idle p50 µs", (s) => s.data?.idle?.p50],
    ["p50", "p50 µs beside 256 MiB", (s) => s.data?.during?.p50],
    ["p50ratio", "× idle", data("p50_ratio")],
    ["idle99", "idle p99 µs", (s) => s.data?.idle?.p99],
    ["p99", "p99 µs beside", (s) => s.data?.during?.p99],
    ["p99ratio", "p99 × idle p99", data("p99_ratio")],
    ["max", "max µs beside", (s) => s.data?.during?.max],
    ["big", "256 MiB ms", data("big_ms")]
  ],
  waiting: [
    ["bytes", "bytes each beyond a Deferred", data("beyond_bytes")],
    ["all", "bytes each", data("call_bytes")],
    ["deferred", "of a fiber on a Deferred", data("deferred_bytes")],
    ["us1", "µs/call, n/100 waiting", (s) => s.data?.totals_us?.[0]],
    ["us2", "µs/call, n/10 waiting", (s) => s.data?.totals_us?.[1]],
    ["us3", "µs/call, n waiting", (s) => s.data?.totals_us?.[2]],
    ["flat", "n against n/100", data("flat")],
    [
      "refused",
      "refused after ms",
      (s) => (s.data?.refusal?.what.includes("QueueFull") ? s.data.refusal.ms : undefined)
    ]
  ],
  nested: besidePlain("nested"),
  placed: besidePlain("placed"),
  stream: [
    ["rate", "items/s", data("items_per_s")],
    ["cpu", "CPU µs/item", section("stream", "cpu_us_per_call")],
    ["items", "items got", data("items")]
  ],
  chunks: [
    ["rate", "MB/s", data("mb_per_s")],
    ["cpu", "CPU µs/chunk", section("chunks", "cpu_us_per_call")],
    ["items", "chunks got", data("chunks")]
  ],
  far: [
    ["rate", "MB/s", data("mb_per_s")],
    ["items", "chunks got", data("chunks")]
  ],
  cpu: [
    ["ms", "total ms", data("cpu_ms")],
    ["ideal", "× ideal", data("over_ideal")],
    ["busy", "× what the tasks took", data("over_busy")],
    ["idealMs", "ideal ms", data("ideal_ms")]
  ],
  boot: [
    ["ms", "boot ms", data("boot_ms")],
    ["import", "import ms", data("import_ms")],
    ["infra", "infra ms", data("infra_ms")],
    ["rss", "worker RSS MiB", (s) => s.sections.idle && (s.sections.idle.worker_rss_mib ?? s.data.caller_growth_mib)],
    ["callerRss", "caller RSS MiB", section("idle", "caller_rss_mib")],
    ["pss", "all others PSS MiB", section("idle", "others_pss_mib")],
    ["idleCpu", "idle CPU ms/s", (s) => s.sections.idle && (s.sections.idle.cpu_ms / s.sections.idle.wall_ms) * 1000]
  ],
  fault: [
    ["seen", "seen after ms", (s) => (["value", "error"].includes(s.data?.outcome) ? s.data.ms : undefined)],
    ["next", "next call after ms", (s) => (s.data?.next_call?.outcome === "value" ? s.data.next_call.ms : undefined)],
    [
      "sinceKill",
      "next call, ms since the kill",
      (s) => (s.data?.next_call?.outcome === "value" ? s.data.next_since_kill_ms : undefined)
    ],
    ["boot", "plain boot ms", data("boot_ms")]
  ],
  queue: [
    ["ms", "submit ms", data("submit_ms")],
    ["rejected", "rejected", data("rejected")],
    ["growth", "caller growth MiB", data("caller_growth_mib")]
  ]
}

/** Cases that also report a sentence. */
const sentence = {
  fault: ["what the caller sees", "next call"],
  queue: ["first rejection", "a further echo"],
  waiting: ["the call beyond capacity"]
}
const code = (text) => `\`${text}\``
const outcome = (d, hang) => {
  if (d.outcome === "hang") return `${hang} ≥ ${d.ms / 1000} s`
  if (d.outcome === "value") return "ok"
  return `${code(`${d.name}${d.code ? ` [${d.code}]` : ""}`)}: ${d.text}`
}
const sentences = {
  fault: (d) => {
    const leaked = d.unhandled.length ? `; also unhandled: ${d.unhandled[0]}` : ""
    return [`${d.how}: ${outcome(d, "hangs")}${leaked}`, outcome(d.next_call, "hangs")]
  },
  queue: (d) => [
    d.first_error ?? "none",
    d.probe.outcome === "value" ? `ok in ${d.probe.ms} ms` : outcome(d.probe, "waits")
  ],
  waiting: (d) => [d.refusal.what]
}

export const metricsOf = (kase) => METRICS[kase].map(([key, label, get, pick = median]) => ({ key, label, get, pick }))
export const sentenceHeads = (kase) => sentence[kase] ?? []
export const sentencesOf = (kase, d) => sentences[kase]?.(d) ?? []

export const format = (v) => {
  if (!Number.isFinite(v)) return "–"
  const size = Math.abs(v)
  if (size >= 1000) return Math.round(v).toLocaleString("en-US").replaceAll(",", " ")
  return v.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)
}
