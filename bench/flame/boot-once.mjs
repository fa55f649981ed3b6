// Program of bench/boots.mjs: boots a runner for its first call, and one more for a second call when the first has gone.
// argv: fork, bundle, cached, snapshot or source. Prints milliseconds and CPU as JSON.
import fs from "node:fs"

const variant = process.argv[2]

/** Milliseconds of CPU of a process, all of its threads. */
const cpuOf = (pid) =>
  fs.readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    try {
      return sum + Number(fs.readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e6
    } catch {
      return sum // the thread has ended
    }
  }, 0)

const starts = {
  fork: async () => {
    const cp = await import("node:child_process")
    const { far, stopChild } = await import("../work/children.mjs")
    let child
    return {
      first: () =>
        new Promise((resolve) => {
          child = cp.fork(far("floor-fork.mjs"), [], { execArgv: [] })
          child.once("message", () => resolve(child.pid))
          child.send({ id: 1, text: "x" })
        }),
      lose: () => stopChild(child)
    }
  },
  flame: async () => {
    const lib = variant === "source" ? "../../src" : "../.out/lib"
    const end = variant === "source" ? "ts" : "js"
    const [Flame, FlameLayer, Effect, ManagedRuntime, Schema] = await Promise.all([
      import(`${lib}/Flame.${end}`),
      import(`${lib}/FlameLayer.${end}`),
      import("effect/Effect"),
      import("effect/ManagedRuntime"),
      import("effect/Schema")
    ])
    const out = new URL("../.out/", import.meta.url)
    const entry = {
      bundle: new URL("runner.mjs", out),
      cached: new URL("runner.mjs", out),
      snapshot: new URL("snapshot/runner.mjs", out),
      source: new URL("runner.mjs", import.meta.url)
    }[variant]
    const folder = `${out.pathname}.compile-cache`
    const env = {
      bundle: { NODE_DISABLE_COMPILE_CACHE: "1" },
      cached: { NODE_COMPILE_CACHE: folder, NODE_COMPILE_CACHE_PORTABLE: "1" }
    }[variant]
    const pid = Flame.fn("pid", { success: Schema.Number }, () => Effect.sync(() => process.pid))
    const runtime = ManagedRuntime.make(FlameLayer.local({ entry, min: 1, max: 1, argv: [], ...(env && { env }) }))
    let last
    return {
      first: async () => (last = await runtime.runPromise(Flame.call(pid))),
      lose: async () => {
        process.kill(last, "SIGKILL")
        while (fs.existsSync(`/proc/${last}`)) await new Promise((later) => setTimeout(later, 5))
      },
      end: () => runtime.dispose()
    }
  }
}

const program = await starts[variant === "fork" ? "fork" : "flame"]()
const own = process.cpuUsage()
const loaded = performance.now()
const pid = await program.first()
const first = performance.now()
const used = process.cpuUsage()
const runner = cpuOf(pid)
await program.lose()
// `min` boots the next runner at once
const from = performance.now()
const second = await program.first()
const there = performance.now() - from
const result = {
  "program to result": first,
  "pool to result": first - loaded,
  "lost to result": there,
  "parent CPU": (used.user + used.system) / 1e3,
  "parent CPU in pool": (used.user + used.system - own.user - own.system) / 1e3,
  "runner CPU": runner,
  "second runner CPU": cpuOf(second)
}
console.log(`@@${JSON.stringify(result)}`)
await program.end?.()
process.exit(0)
