#!/usr/bin/env node
// Boots of local runners on a pool that is already there, beside bare forks of Node, in rounds: milliseconds from a call to its
// result, and CPU of the runner.
//
//   node bench/boots.mjs [--rounds 31] [--variants fork,bundle,cached,snapshot] [--no-build]
//
// CPU is what holds on a busy machine. Columns: the median and the least of all rounds, and the median of the differences to the
// first variant in the same round.
import cp from "node:child_process"
import fs from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import { median } from "./driver/metrics.mjs"
import { bundleAll, bundled, cached, snapshotted } from "./flame/bundle.mjs"
import { far, stopChild } from "./work/children.mjs"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "31" },
    variants: { type: "string", default: "fork,bundle,cached,snapshot" },
    "no-build": { type: "boolean", default: false }
  }
})
const failed = values["no-build"] ? undefined : await bundleAll()
if (failed) throw new Error(failed)
const Flame = await import("./.out/lib/Flame.js")
const FlameLayer = await import("./.out/lib/FlameLayer.js")
const { Pool } = await import("./.out/lib/pool/Pool.js")

/** Milliseconds of CPU of a process, all of its threads. */
const cpuOf = (pid) =>
  fs.readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    try {
      return sum + Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e6
    } catch {
      return sum // the thread has ended
    }
  }, 0)

const fork = () => {
  let child
  const boot = () =>
    new Promise((resolve) => {
      child = cp.fork(far("floor-fork.mjs"), [], { execArgv: [] })
      child.once("message", () => resolve(child.pid))
      child.send({ id: 1, text: "x" })
    })
  return { boot, end: () => stopChild(child) }
}

const pid = Flame.fn("pid", { success: Schema.Number }, () => Effect.sync(() => process.pid))

const runner = (variant) => {
  const [entry, env] = {
    bundle: [bundled("runner"), { NODE_DISABLE_COMPILE_CACHE: "1" }],
    cached: [bundled("runner"), cached()],
    snapshot: [snapshotted(), {}],
    source: [fileURLToPath(new URL("flame/runner.mjs", import.meta.url)), {}]
  }[variant]
  const local = FlameLayer.local({ entry: pathToFileURL(entry), max: 1, argv: [], env })
  // a runner that is killed is logged
  const runtime = ManagedRuntime.make(Layer.provide(local, Logger.layer([])))
  const end = async (last) => {
    process.kill(last, "SIGKILL")
    const status = Effect.flatMap(Pool, (pool) => pool.status)
    while ((await runtime.runPromise(status)).runners.length > 0) await new Promise((later) => setTimeout(later, 5))
  }
  return { boot: () => runtime.runPromise(Flame.call(pid)), end }
}

const contenders = values.variants.split(",").map((variant) => {
  const { boot, end } = variant === "fork" ? fork() : runner(variant)
  return { variant, boot, end, ms: [], cpu: [] }
})

// The first round is not counted: it fills caches.
for (let round = 0; round <= Number(values.rounds); round++) {
  for (const { boot, cpu, end, ms } of round % 2 === 0 ? contenders : contenders.toReversed()) {
    const from = performance.now()
    const last = await boot()
    const taken = performance.now() - from
    if (round > 0) {
      ms.push(taken)
      cpu.push(cpuOf(last))
    }
    await end(last)
  }
}

for (const [name, title] of Object.entries({ cpu: "CPU of the runner (ms)", ms: "call to result (ms)" })) {
  console.log(title)
  const first = contenders[0][name]
  for (const { [name]: all, variant } of contenders) {
    const above = median(all.map((each, round) => each - first[round]))
    const figures = [median(all), Math.min(...all), above].map((each) => each.toFixed(1).padStart(8))
    console.log(
      `  ${variant.padEnd(10)} median ${figures[0]}  least ${figures[1]}  above ${contenders[0].variant} ${figures[2]}`
    )
  }
}
process.exit(0)
