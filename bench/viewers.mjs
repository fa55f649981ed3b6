#!/usr/bin/env node
// Measures the cost of the status: CPU per call with 64 calls in flight, of the parent and its runner together.
//
//   node bench/viewers.mjs [--blocks 60] [--ms 1000] [--viewers 100]
//
// Three arms take turns in one process, in a random order in each block: `off` without FlameStatus, `on` with the layer and no
// viewer, `seen` with 100 viewers of /events, which are in a process of their own. An arm is as long as the interval of the
// status, so each holds one update. The figure is the median over all blocks of the ratio of two arms of one block, with the
// interval that holds the true median with 95 % (of the order statistics). CPU time is that of the scheduler in nanoseconds:
// other programs on the machine cost samples their precision, and shift no ratio.
import { spawn } from "node:child_process"
import { once } from "node:events"
import fs from "node:fs"
import http from "node:http"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Flame from "../src/Flame.ts"
import * as FlameLayer from "../src/FlameLayer.ts"
import * as FlameStatus from "../src/status/FlameStatus.ts"

const port = 9399

/** The other process: opens and closes viewers as its parent asks. */
const view = async () => {
  let open = []
  const one = () =>
    new Promise((resolve, reject) => {
      const request = http.get({ port, path: "/events", agent: false }, (response) => {
        // The first chunk is the status of now.
        response.once("data", () => resolve(request)).resume()
        response.on("error", () => {})
      })
      request.on("error", reject)
    })
  process.on("message", async (count) => {
    for (const request of open) request.on("error", () => {}).destroy()
    open = await Promise.all(Array.from({ length: count }, one))
    process.send(count)
  })
}

/** Nanoseconds that all threads of a process have run. */
const cpuOf = (pid) =>
  fs
    .readdirSync(`/proc/${pid}/task`)
    .reduce(
      (sum, task) => sum + Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]),
      0
    )

const sorted = (values) => values.toSorted((left, right) => left - right)

/** The median, and the order statistics that enclose the true one with 95 %. */
export const median = (values) => {
  const all = sorted(values)
  const half = Math.ceil(0.98 * Math.sqrt(all.length))
  const at = (index) => all[Math.min(all.length - 1, Math.max(0, index))]
  const middle = (all.length - 1) / 2
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(Math.floor(middle) - half),
    high: at(Math.ceil(middle) + half)
  }
}

const measure = async ({ blocks, ms, viewers }) => {
  const Item = Schema.Struct({ id: Schema.Number, text: Schema.String })
  const echo = Flame.fn("echo", { payload: Item, success: Item }, Effect.succeed)
  const layer = FlameLayer.local({
    min: 1,
    max: 1,
    concurrency: 64,
    awaitMin: true,
    entry: new URL("flame/runner.mjs", import.meta.url)
  })
  const runtime = ManagedRuntime.make(layer)
  const calls = (length) =>
    Effect.suspend(() => {
      let n = 0
      const until = performance.now() + length
      const lane = Effect.gen(function* () {
        while (performance.now() < until) yield* Flame.call(echo, { id: n++, text: "abcdefghijklmnopqrstuvwxyz" })
      })
      return Effect.as(
        Effect.forEach(Array.from({ length: 64 }), () => lane, { concurrency: "unbounded", discard: true }),
        () => n
      )
    }).pipe(Effect.map((count) => count()))
  await runtime.runPromise(calls(3_000))
  const children = fs.readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").trim().split(" ")
  const runner = Number(children[0])
  const watcher = spawn(process.execPath, [import.meta.filename, "--view"], {
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const watch = async (count) => {
    watcher.send(count)
    await once(watcher, "message")
  }
  const arms = {
    off: async (run) => run(),
    on: async (run) => withStatus(run),
    seen: async (run) =>
      withStatus(async () => {
        await watch(viewers)
        const figure = await run()
        await watch(0)
        return figure
      })
  }
  const withStatus = async (run) => {
    const scope = Scope.makeUnsafe()
    await runtime.runPromise(Layer.buildWithScope(FlameStatus.layer({ port, socket: false }), scope))
    const figure = await run()
    await Effect.runPromise(Scope.close(scope, Exit.void))
    return figure
  }
  const run = async () => {
    const before = [cpuOf(process.pid), cpuOf(runner)]
    const count = await runtime.runPromise(calls(ms))
    return (cpuOf(process.pid) - before[0] + cpuOf(runner) - before[1]) / count
  }
  const ratios = { "on/off": [], "seen/on": [], "seen/off": [], "off/off": [] }
  const all = { off: [], on: [], seen: [] }
  for (let block = 0; block < blocks; block++) {
    const turn = {}
    // The second `off` shows the noise of a pair.
    const names = ["off", "on", "seen", "off2"].map((name) => [Math.random(), name]).sort((a, b) => a[0] - b[0])
    for (const [, name] of names) turn[name] = await arms[name.replace("2", "")](run)
    for (const name of ["off", "on", "seen"]) all[name].push(turn[name])
    ratios["on/off"].push(turn.on / ((turn.off + turn.off2) / 2))
    ratios["seen/off"].push(turn.seen / ((turn.off + turn.off2) / 2))
    ratios["seen/on"].push(turn.seen / turn.on)
    ratios["off/off"].push(turn.off / turn.off2)
    if (process.stderr.isTTY) process.stderr.write(`\r${block + 1}/${blocks}`)
  }
  watcher.kill()
  await runtime.dispose()
  for (const [name, values] of Object.entries(all))
    console.log(`${name}: ${(median(values).median / 1_000).toFixed(2)} µs of CPU per call`)
  for (const [name, values] of Object.entries(ratios)) {
    const { high, low, median: middle } = median(values)
    const percent = (value) => `${((value - 1) * 100).toFixed(2)} %`
    console.log(`${name}: ${percent(middle)} (95 %: ${percent(low)} to ${percent(high)}, ${values.length} pairs)`)
  }
}

if (process.argv[2] === "--view") await view()
else {
  const { values } = parseArgs({
    options: {
      blocks: { type: "string", default: "60" },
      ms: { type: "string", default: "1000" },
      viewers: { type: "string", default: "100" }
    }
  })
  await measure({ blocks: Number(values.blocks), ms: Number(values.ms), viewers: Number(values.viewers) })
}
