// The caller process of one sample: one peer, one case. Exchanges lines with the driver: writes to fd 3, reads stdin.
// argv: peer file, variant, case, options (JSON)
import fs from "node:fs"
import { pathToFileURL } from "node:url"
import { makeCases } from "./cases.mjs"

const [file, variant, kase, json] = process.argv.slice(2)
const options = JSON.parse(json)
const out = (message) => fs.writeSync(3, JSON.stringify(message) + "\n")

const waiters = []
let rest = ""
process.stdin.on("data", (chunk) => {
  rest += chunk
  for (let i; (i = rest.indexOf("\n")) >= 0; rest = rest.slice(i + 1)) {
    if (rest.slice(0, i) === "exit") process.exit(0)
    waiters.shift()?.()
  }
})
process.stdin.on("end", () => process.exit(0)) // the driver has ended

const ask = (message) =>
  new Promise((resolve) => {
    waiters.push(resolve)
    out(message)
  })

/** Runs `f` between two readings of /proc by the driver. peaks: the driver also resets and reads the peak memory. */
const section = async (name, pids, f, { peaks = false } = {}) => {
  await ask({ t: "begin", name, pids, peaks })
  const result = await f()
  await ask({ t: "end", name, pids, n: result?.n })
  return result
}

const fail = (error) => {
  out({ t: "error", text: String(error?.stack ?? error).slice(0, 1500) })
  process.exit(1)
}

// These cases report what a peer does when its worker dies, unhandled rejections included.
const tolerant = kase === "fault" || kase === "queue"
const unhandled = new Set()
for (const event of ["unhandledRejection", "uncaughtException"]) {
  process.on(event, (error) => {
    unhandled.add(String(error?.message ?? error).slice(0, 120))
    if (!tolerant) fail(error)
  })
}

try {
  const t = performance.now()
  const mod = await import(pathToFileURL(file).href)
  const importMs = performance.now() - t
  const start = async (more) => {
    const peer = await mod.start({ variant, kase, ...options, ...more })
    if (kase !== "boot") await peer.learn?.()
    return peer
  }
  const infra = mod.infra && (() => mod.infra({ variant, ...options }))
  const cases = makeCases({ options, section, start, infra, importMs, unhandled })
  await ask({ t: "result", data: await cases[kase]() })
  process.exit(0)
} catch (error) {
  fail(error)
}
