#!/usr/bin/env node
// Measures the cost of the status: CPU per call with 64 calls in flight, without FlameStatus, with it, and with 100 viewers.
//
//   node bench/viewers.mjs [--direct] [--blocks 60] [--ms 1000] [--viewers 100]
//
// By parts, which a busy machine disturbs least:
//   - calls: the record of a pool counts each call at its begin and its end. Both run alone, many times.
//   - kept calls: the first calls of each second are timed and kept. Rounds of 2 000 calls in memory, with and without the
//     status, take turns, a few milliseconds each; the figure is the median of the differences of two neighbours.
//   - viewers: the CPU that a parent with 64 calls in flight, none of which ends, takes each second. Seconds with and without
//     viewers take turns; the viewers are in a process of their own.
//   - both as a share of the CPU of a parent and a runner that make calls with 64 in flight.
//
// With `--direct`: three arms take turns on the real pool, in a random order in each block: `off` without FlameStatus, `on` with
// the layer and no viewer, `seen` with viewers. An arm is as long as the interval of the status, so each holds one update. The
// figure is the median of the ratios of two arms of one block. Tells 1 % from noise on a quiet machine only.
//
// Each figure has the interval that holds the true median with 95 % (of the order statistics). CPU time is that of the scheduler,
// in nanoseconds.
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
import { setTimeout as sleep } from "node:timers/promises"
import * as Flame from "../src/Flame.ts"
import * as FlameLayer from "../src/FlameLayer.ts"
import * as Pools from "../src/pool/runtime/Pools.ts"
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
  const reopen = async (count) => {
    for (const request of open) request.on("error", () => {}).destroy()
    open = await Promise.all(Array.from({ length: count }, one))
    process.send(count)
  }
  process.on("message", (count) => void reopen(count))
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
const median = (values) => {
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

const Item = Schema.Struct({ id: Schema.Number, text: Schema.String })
const echo = Flame.fn("echo", { payload: Item, success: Item }, Effect.succeed)
const hang = Flame.fn("hang", {}, () => Effect.never)

const lanes = (lane) =>
  Effect.forEach(Array.from({ length: 64 }), () => lane, { concurrency: "unbounded", discard: true })

/** Makes calls with 64 in flight until `hasEnough(calls made)`, and returns their number. */
const calls = (hasEnough) =>
  Effect.suspend(() => {
    let n = 0
    const lane = Effect.gen(function* () {
      while (!hasEnough(n)) yield* Flame.call(echo, { id: n++, text: "abcdefghijklmnopqrstuvwxyz" })
    })
    return Effect.map(lanes(lane), () => n)
  })

const callsFor = (ms) =>
  Effect.suspend(() => {
    const until = performance.now() + ms
    return calls(() => performance.now() > until)
  })

const withStatus = async (runtime, run, options = { port, socket: false }) => {
  const scope = Scope.makeUnsafe()
  await runtime.runPromise(Layer.buildWithScope(FlameStatus.layer(options), scope))
  const figure = await run()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  return figure
}

/** Pool of one runner in a process of its own, and the pids of both. */
const twoProcesses = async () => {
  const entry = new URL("flame/runner.mjs", import.meta.url)
  const options = { min: 1, max: 1, concurrency: 64, awaitMin: true, entry }
  const runtime = ManagedRuntime.make(FlameLayer.local(options))
  await runtime.runPromise(callsFor(3_000))
  const children = fs.readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").trim().split(" ")
  return { runtime, pids: [process.pid, Number(children[0])] }
}

const watchers = () => {
  const watcher = spawn(process.execPath, [import.meta.filename, "--view"], {
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const watch = async (count) => {
    watcher.send(count)
    await once(watcher, "message")
  }
  return { watch, close: () => watcher.kill() }
}

const cpuOfAll = (pids) => pids.reduce((sum, pid) => sum + cpuOf(pid), 0)

const print = (name, values, shown) => {
  const { high, low, median: middle } = median(values)
  console.log(`${name}: ${shown(middle)} (95 %: ${shown(low)} to ${shown(high)}, ${values.length} pairs)`)
}

/** Nanoseconds that the status adds to a call that it only counts. */
const counted = async () => {
  const runtime = ManagedRuntime.make(FlameLayer.test([echo], { min: 1, max: 1, concurrency: 64 }))
  const figures = []
  await withStatus(
    runtime,
    async () => {
      await runtime.runPromise(calls((n) => n >= 2_000))
      const [{ engine }] = Pools.own()
      const call = { fn: echo, trace: undefined, submittedAt: engine.now(), cast: false, ranOn: 0 }
      const exit = Exit.succeed(undefined)
      const times = 100_000
      for (let round = 0; round < 200; round++) {
        const before = process.threadCpuUsage()
        for (let i = 0; i < times; i++) {
          engine.watch.submitted(call)
          engine.watch.end(call, exit)
        }
        const { system, user } = process.threadCpuUsage(before)
        if (call.trace !== undefined) call.trace = undefined
        else if (round >= 20) figures.push(((user + system) * 1_000) / times)
      }
    },
    { port: false, socket: false }
  )
  await runtime.dispose()
  print("a call that is counted", figures, (value) => `${value.toFixed(1)} ns`)
  return median(figures)
}

/** Nanoseconds that the calls take each second that the status times and keeps. */
const kept = async () => {
  const runtime = ManagedRuntime.make(FlameLayer.test([echo], { min: 1, max: 1, concurrency: 64 }))
  const round = async () => {
    const before = process.threadCpuUsage()
    await runtime.runPromise(calls((n) => n >= 2_000))
    const { system, user } = process.threadCpuUsage(before)
    return (user + system) * 1_000
  }
  const options = { port: false, socket: false }
  const status = () => withStatus(runtime, round, options)
  // The layer is built and closed before these too: a wait before a round changes the time of its garbage collection.
  const without = async () => {
    await withStatus(runtime, async () => {}, options)
    return round()
  }
  for (let warm = 0; warm < 100; warm++) await (warm % 2 === 0 ? without() : status())
  const added = []
  for (let pair = 0; pair < 600; pair++) {
    // Each order as often as the other: the second of two rounds may pay for the garbage of the first.
    const isFirst = pair % 2 === 0
    const one = await (isFirst ? without() : status())
    const two = await (isFirst ? status() : without())
    added.push(isFirst ? two - one : one - two)
  }
  await runtime.dispose()
  print("calls that are kept take each second", added, (value) => `${(value / 1e6).toFixed(2)} ms`)
  return median(added)
}

/** Nanoseconds of CPU each second that viewers cost the parent. */
const shown = async (viewers) => {
  const runtime = ManagedRuntime.make(FlameLayer.test([echo, hang], { min: 1, max: 1, concurrency: 64 }))
  const { close, watch } = watchers()
  const added = []
  await runtime.runPromise(calls((n) => n >= 20_000))
  const held = runtime.runFork(lanes(Flame.call(hang)))
  await withStatus(runtime, async () => {
    const second = async () => {
      const before = cpuOf(process.pid)
      await sleep(1_000)
      return cpuOf(process.pid) - before
    }
    for (let pair = 0; pair < 20; pair++) {
      const alone = await second()
      await watch(viewers)
      await sleep(500)
      added.push((await second()) - alone)
      await watch(0)
      // The ends of the connections take time of their own.
      await sleep(500)
    }
  })
  close()
  held.interruptUnsafe()
  await runtime.dispose()
  print(`${viewers} viewers take each second`, added, (value) => `${(value / 1e6).toFixed(2)} ms`)
  return median(added)
}

const byParts = async ({ ms, viewers }) => {
  const [call, some, view] = [await counted(), await kept(), await shown(viewers)]
  const { pids, runtime } = await twoProcesses()
  const [perCall, perSecond] = [[], []]
  for (let round = 0; round < 10; round++) {
    const [before, from] = [cpuOfAll(pids), performance.now()]
    const count = await runtime.runPromise(callsFor(ms))
    const used = cpuOfAll(pids) - before
    perCall.push(used / count)
    perSecond.push((used / (performance.now() - from)) * 1_000)
  }
  await runtime.dispose()
  const [each, second] = [median(perCall).median, median(perSecond).median]
  console.log(
    `a parent and its runner: ${(each / 1_000).toFixed(2)} µs per call, ${(second / 1e6).toFixed(0)} ms each second`
  )
  const share = (bound) => `${((call[bound] / each + (some[bound] + view[bound]) / second) * 100).toFixed(2)} %`
  console.log(`the status with ${viewers} viewers: ${share("median")} (${share("low")} to ${share("high")}) of the CPU`)
}

const directly = async ({ blocks, ms, viewers }) => {
  const { pids, runtime } = await twoProcesses()
  const { close, watch } = watchers()
  const arms = {
    off: (run) => run(),
    on: (run) => withStatus(runtime, run),
    seen: (run) =>
      withStatus(runtime, async () => {
        await watch(viewers)
        const figure = await run()
        await watch(0)
        return figure
      })
  }
  const run = async () => {
    const before = cpuOfAll(pids)
    const count = await runtime.runPromise(callsFor(ms))
    return (cpuOfAll(pids) - before) / count
  }
  const ratios = { "on/off": [], "seen/on": [], "seen/off": [], "off/off": [] }
  for (let block = 0; block < blocks; block++) {
    const turn = {}
    // The second `off` shows the noise of a pair.
    const names = ["off", "on", "seen", "off2"].toSorted(() => Math.random() - 0.5)
    for (const name of names) turn[name] = await arms[name.replace("2", "")](run)
    ratios["on/off"].push((2 * turn.on) / (turn.off + turn.off2))
    ratios["seen/off"].push((2 * turn.seen) / (turn.off + turn.off2))
    ratios["seen/on"].push(turn.seen / turn.on)
    ratios["off/off"].push(turn.off / turn.off2)
  }
  close()
  await runtime.dispose()
  for (const [name, values] of Object.entries(ratios))
    print(name, values, (value) => `${((value - 1) * 100).toFixed(2)} %`)
}

if (process.argv[2] === "--view") await view()
else {
  const { values } = parseArgs({
    options: {
      direct: { type: "boolean", default: false },
      blocks: { type: "string", default: "60" },
      ms: { type: "string", default: "1000" },
      viewers: { type: "string", default: "100" }
    }
  })
  const options = { blocks: Number(values.blocks), ms: Number(values.ms), viewers: Number(values.viewers) }
  await (values.direct ? directly(options) : byParts(options))
}
