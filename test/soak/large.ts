/**
 * Sends large values through one child process beside small calls: `node test/soak/large.ts [MiB]`, 1024 by default.
 *
 * Sends in both directions, as one Uint8Array and as a stream of bytes. Prints the time, the longest small call
 * meanwhile, and the growth of the peak memory of both sides.
 */
import { readFileSync } from "node:fs"
import { Effect, Fiber, Schema, Stream } from "effect"
import { Flame, FlameLayer } from "../../src/index.ts"

const MiB = 1024 * 1024
const size = Number(process.argv[2] ?? 1024) * MiB
const chunk = 64 * 1024

const sum = Flame.fn("sum", { payload: Schema.Uint8Array, success: Schema.Int }, (bytes) =>
  Effect.succeed(bytes.length + bytes[bytes.length - 1]!)
)
const make = Flame.fn("make", { payload: { size: Schema.Int }, success: Schema.Uint8Array }, ({ size }) =>
  Effect.sync(() => new Uint8Array(size).fill(7))
)
const pour = Flame.fn("pour", { payload: { size: Schema.Int }, success: Schema.Uint8Array, stream: true }, ({ size }) =>
  Stream.range(1, size / chunk).pipe(Stream.map(() => new Uint8Array(chunk).fill(7)))
)
const pid = Flame.fn("pid", { success: Schema.Int }, () => Effect.sync(() => process.pid))

/** The peak memory of a process since its last reset, in MiB. */
const peak = (of: number) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${of}/status`, "utf8"))?.[1]) / 1024
const now = (of: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${of}/status`, "utf8"))?.[1]) / 1024

const app = Effect.gen(function* () {
  const { writeFileSync } = yield* Effect.promise(() => import("node:fs"))
  const runner = yield* Flame.call(pid)
  const measure = <A, E, R>(what: string, use: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      for (const of of [process.pid, runner]) writeFileSync(`/proc/${of}/clear_refs`, "5")
      const before = [now(process.pid), now(runner)] as const
      let calls = 0
      let longest = 0
      const small = yield* Effect.forkChild(
        Effect.forever(
          Effect.gen(function* () {
            const t = performance.now()
            yield* Flame.call(pid)
            longest = Math.max(longest, performance.now() - t)
            calls++
          })
        )
      )
      const t = performance.now()
      const got = yield* use
      const ms = performance.now() - t
      yield* Fiber.interrupt(small)
      const parent = Math.round(peak(process.pid) - before[0])
      const there = Math.round(peak(runner) - before[1])
      console.log(
        `${what}: ${Math.round(size / 1e3 / ms)} MB/s, ${calls} small calls, the longest ${Math.round(longest)} ms; ` +
          `at most ${parent} MiB more in the parent, ${there} MiB in the runner`
      )
      if (calls === 0) throw new Error("no small call came through")
      return got
    })
  const value = new Uint8Array(size).fill(7)
  const check = (ok: boolean, what: string) => {
    if (!ok) throw new Error(`wrong: ${what}`)
  }
  check((yield* measure("in, one value", Flame.call(sum, value))) === size + 7, "in")
  const out = yield* measure("out, one value", Flame.call(make, { size }))
  check(out.length === size && out[size - 1] === 7, "out")
  let bytes = 0
  yield* measure(
    "out, a stream",
    Stream.runForEachArray(Flame.stream(pour, { size }), (items) =>
      Effect.sync(() => {
        for (const item of items) bytes += item.length
      })
    )
  )
  check(bytes === size, "stream")
})

Flame.main({
  functions: [sum, make, pour, pid],
  app,
  flame: FlameLayer.local({ max: 1, concurrency: 8, maxPayload: 2 * size, maxResult: 2 * size })
}).pipe(Flame.runMain)
