// The command line of run.mjs.
import path from "node:path"
import fs from "node:fs"
import { parseArgs } from "node:util"
import { CASES, DEFAULT_CASES, home } from "./catalog.mjs"

export const usage = `usage: node bench/run.mjs [--peers suite|gate|name,name:variant…] [--cases unary64,burst…] [--rounds 3]
  [--baseline piscina] [--out results/latest] [--title TEXT] [--from a.json,b.json] [--quick] [--verbose]
  [--lock FILE [--lock-run]] [--quiet-ms 10000] [--max-foreign 0.1] [--cpus 0]
  [--ms 1500] [--warm 1500] [--burst 10000] [--blob 67108864] [--beside 268435456] [--tasks 200] [--queue 100000]
  [--items 1000000] [--chunks 16384] [--round-trip 10] [--cap-ms 8000] [--fault-ms 15000]
  --list shows the peers, --help this. BENCH_NODE and BENCH_PYTHON name other binaries. See bench/README.md.`

const strings = (...names) => Object.fromEntries(names.map((name) => [name, { type: "string" }]))
const flags = (...names) => Object.fromEntries(names.map((name) => [name, { type: "boolean", default: false }]))
const spec = {
  ...flags("help", "list", "quick", "verbose", "lock-run"),
  ...strings("peers", "cases", "rounds", "baseline", "out", "title", "from", "lock", "quiet-ms", "max-foreign", "cpus"),
  ...strings(
    "ms",
    "warm",
    "burst",
    "blob",
    "beside",
    "tasks",
    "queue",
    "items",
    "chunks",
    "round-trip",
    "cap-ms",
    "fault-ms"
  )
}

const binary = (name, local, fallback) => {
  const own = path.join(home, local)
  return process.env[name] ?? (fs.existsSync(own) ? own : fallback)
}

export const readOptions = (argv) => {
  const { values } = parseArgs({ args: argv, options: spec })
  const number = (name, fallback) => Number(values[name] ?? fallback)
  const list = (name, fallback) => values[name]?.split(",") ?? fallback
  const { quick } = values
  const cases = list("cases", DEFAULT_CASES)
  for (const kase of cases) if (!CASES.includes(kase)) throw new Error(`unknown case ${kase}: ${CASES.join(", ")}`)
  const options = {
    ms: number("ms", quick ? 400 : 1500),
    warmMs: number("warm", quick ? 400 : 1500),
    burst: number("burst", 10_000),
    blob: number("blob", 64 * 2 ** 20),
    beside: number("beside", 256 * 2 ** 20),
    besideTimes: quick ? 2 : 5,
    tasks: number("tasks", quick ? 40 : 200),
    queue: number("queue", 100_000),
    items: number("items", 1_000_000),
    chunks: number("chunks", 16_384),
    roundTrip: number("round-trip", 10),
    capMs: number("cap-ms", 8000),
    faultMs: number("fault-ms", 15_000)
  }
  return {
    ...values,
    peers: list("peers", ["suite"]),
    cases,
    rounds: number("rounds", quick ? 1 : 3),
    baseline: values.baseline ?? "piscina",
    from: values.from?.split(","),
    title: values.title ?? "effect-flame beside its peers",
    quietMs: quick ? 0 : number("quiet-ms", 10_000),
    maxForeign: number("max-foreign", 0.1),
    attempts: quick ? 1 : 2,
    bins: {
      node: binary("BENCH_NODE", "../node_modules/node/bin/node", process.execPath),
      python: binary("BENCH_PYTHON", ".venv/bin/python", "python3")
    },
    limitMs: { fault: options.faultMs + 40_000, result64MiB: 90_000, waiting: 120_000, burst: 90_000 },
    options
  }
}
