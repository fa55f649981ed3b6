#!/usr/bin/env node
// Prints where a warm call spends its time: self time by frame, on caller and runner, from the inspector's CPU profiler.
// node bench/profile.mjs [--case unary64|c1|nested|placed|burst|result|stream|chunks] [--ms 4000] [--variant source|bundle] [--top 25] [--out FILE]
// --peer wire-prototype (or any other of bench/peers): the caller's side only, to compare.
import fs from "node:fs"
import path from "node:path"
import { parseArgs } from "node:util"
import { areaOf, placeOf } from "./driver/areas.mjs"
import { home, peersOf } from "./driver/catalog.mjs"
import { bundleAll } from "./flame/bundle.mjs"
import { startProfile, stopProfile } from "./flame/profiler.mjs"

const { values } = parseArgs({
  options: {
    case: { type: "string", default: "unary64" },
    ms: { type: "string", default: "4000" },
    variant: { type: "string", default: "source" },
    peer: { type: "string", default: "flame" },
    top: { type: "string", default: "25" },
    out: { type: "string" }
  }
})
const ms = Number(values.ms)
const now = () => performance.now()

/** Repeats `f`, which makes `n` calls, for `ms`. */
const repeat = async (f, n, ms) => {
  const t = now()
  let done = 0
  while (now() - t < ms) {
    await f()
    done += n
  }
  return { n: done, ms: now() - t }
}
const loads = {
  unary64: (p, ms) => p.conc(64, ms),
  c1: async (p, ms) => ({ n: (await p.seq(ms)).length, ms }),
  nested: (p, ms) => p.nested(64, ms),
  placed: async (p, ms) => (await (p.service ??= p.placed()))(64, ms),
  burst: (p, ms) => repeat(() => p.burst(10_000), 10_000, ms),
  result: (p, ms) => repeat(() => p.transfer("result", 64 * 2 ** 20), 1, ms),
  stream: (p, ms) => repeat(() => p.stream(100_000, 60_000), 100_000, ms),
  chunks: (p, ms) => repeat(() => p.chunks(1024, 64 * 1024, 60_000), 1024, ms)
}
const load = loads[values.case]
if (!load) throw new Error(`no case ${values.case}: ${Object.keys(loads).join(", ")}`)

const startPeer = async () => {
  if (values.peer === "flame") {
    if (values.variant === "bundle") {
      const why = await bundleAll()
      if (why) throw new Error(`cannot bundle the runner: ${why}`)
    }
    const { start } = await import(values.variant === "bundle" ? "./adapter-built.mjs" : "./adapter.mjs")
    return start({
      workers: 1,
      variant: `profiled-${values.variant}`,
      kase: ["burst", "placed"].includes(values.case) ? values.case : "unary64"
    })
  }
  const [peer] = peersOf([values.peer], "unary64")
  const { start } = await import(peer.file)
  return start({ workers: 1, variant: peer.variant, kase: "unary64" })
}

const sum = (frames) => frames.reduce((total, { us }) => total + us, 0)
const byArea = (frames) => {
  const areas = new Map()
  for (const frame of frames) areas.set(frame.area, (areas.get(frame.area) ?? 0) + frame.us)
  return [...areas].sort((a, b) => b[1] - a[1])
}
const row = (cells, widths) =>
  cells
    .map((cell, i) => (i < 2 ? String(cell).padStart(widths[i]) : String(cell).padEnd(widths[i] ?? 0)))
    .join("  ")
    .trimEnd()

const tableOf = (title, all, calls) => {
  const frames = all.map((frame) => ({ ...frame, area: areaOf(frame), place: placeOf(frame) }))
  const work = frames.filter(({ area }) => area !== "idle")
  const busy = sum(work)
  const cells = (us) => [(us / calls).toFixed(3), `${((us / busy) * 100).toFixed(1)} %`]
  const idle = ((1 - busy / sum(frames)) * 100).toFixed(0)
  const widths = [9, 7, 44]
  const where = ({ place, line }) => (place ? `${place}:${line}` : "")
  return [
    `== ${title}: ${(busy / calls).toFixed(2)} µs per call, idle ${idle} % of the time`,
    "",
    row(["µs/call", "share", "area"], widths),
    ...byArea(work).map(([area, us]) => row([...cells(us), area], widths)),
    "",
    row(["µs/call", "share", "frame"], widths),
    ...work.slice(0, Number(values.top)).map((f) => row([...cells(f.us), `${f.name} [${f.area}]`, where(f)], widths)),
    ""
  ].join("\n")
}

const peer = await startPeer()
await peer.learn?.()
await load(peer, Math.min(ms, 1500))
await peer.profile?.start()
await startProfile()
const done = await load(peer, ms)
const own = await stopProfile()
const far = await peer.profile?.stop()

const rate = `${Math.round((done.n / done.ms) * 1000)} calls/s while profiled, ${done.n} calls`
const text = [
  `${values.peer} ${values.case}: ${rate}\n`,
  tableOf("caller", own, done.n),
  far ? tableOf("runner", far, done.n) : ""
].join("\n")
console.log(text)
if (values.out) fs.writeFileSync(path.resolve(home, values.out), text)
await Promise.race([peer.close(), new Promise((resolve) => setTimeout(resolve, 5000).unref())])
process.exit(0)
