// Declares the functions through the thin doors, as an app with a bundled runner would. A namespace that is passed as a value,
// as in define.mjs, would keep a bundler from removing unused code.
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Flame from "../../src/Flame.ts"
import { blob, item, prepare, timedSpin } from "../work/work.mjs"

const Item = Schema.Struct({ id: Schema.Number, text: Schema.String })
const Record = Schema.Struct({ name: Schema.String, data: Schema.Uint8Array })
const Spun = Schema.Struct({ x: Schema.Number, ms: Schema.Number })
const size = { size: Schema.Number }
const Lanes = { lanes: Schema.Number, ms: Schema.Number }
const Done = Schema.Struct({ n: Schema.Number, ms: Schema.Number })

const echo = Flame.fn("echo", { payload: Item, success: Item }, ({ id, text }) => Effect.succeed({ id, text }))

/** Calls `echo` from inside a function, `lanes` at a time, for `ms` milliseconds. */
const nest = Flame.fn("nest", { payload: Lanes, success: Done }, ({ lanes, ms }) =>
  Effect.gen(function* () {
    const from = performance.now()
    let n = 0
    const lane = Effect.gen(function* () {
      while (performance.now() < from + ms) {
        yield* Effect.orDie(Flame.call(echo, item(n)))
        n++
      }
    })
    yield* Effect.forEach(Array.from({ length: lanes }), () => lane, { concurrency: "unbounded", discard: true })
    return { n, ms: performance.now() - from }
  })
)

export const functions = {
  echo,
  nest,
  blob: Flame.fn("blob", { payload: size, success: Schema.Uint8Array }, ({ size }) => Effect.sync(() => blob(size))),
  record: Flame.fn("record", { payload: size, success: Record }, ({ size }) =>
    Effect.sync(() => ({ name: "record", data: blob(size) }))
  ),
  sink: Flame.fn("sink", { payload: Schema.Uint8Array, success: Schema.Number }, (bytes) =>
    Effect.succeed(bytes.byteLength)
  ),
  prepare: Flame.fn("prepare", { payload: size, success: Schema.Number }, ({ size }) =>
    Effect.sync(() => prepare(size))
  ),
  spin: Flame.fn("spin", { payload: { iters: Schema.Number }, success: Spun }, ({ iters }) =>
    Effect.sync(() => timedSpin(iters))
  ),
  items: Flame.fn("items", { payload: { n: Schema.Number }, success: Item, stream: true }, ({ n }) =>
    Stream.range(0, n - 1).pipe(Stream.map(item))
  ),
  chunks: Flame.fn(
    "chunks",
    { payload: { n: Schema.Number, size: Schema.Number }, success: Schema.Uint8Array, stream: true },
    ({ n, size }) => Stream.range(0, n - 1).pipe(Stream.map(() => blob(size)))
  ),
  hang: Flame.fn("hang", { success: Schema.Number }, () => Effect.never),
  pid: Flame.fn("pid", { success: Schema.Number }, () => Effect.sync(() => process.pid))
}
