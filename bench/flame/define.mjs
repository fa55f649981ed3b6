// Declares the functions of the benchmark, as an app would. The modules are arguments, so that the thin doors and the barrel
// declare the same functions.
import { blob, item, prepare, timedSpin } from "../work/work.mjs"

export const define = ({ Effect, Flame, Schema, Stream }) => {
  const Item = Schema.Struct({ id: Schema.Number, text: Schema.String })
  const Record = Schema.Struct({ name: Schema.String, data: Schema.Uint8Array })
  const Spun = Schema.Struct({ x: Schema.Number, ms: Schema.Number })
  const size = { size: Schema.Number }
  const fn = Flame.fn
  const Lanes = { lanes: Schema.Number, ms: Schema.Number }
  const Done = Schema.Struct({ n: Schema.Number, ms: Schema.Number })
  const echo = fn("echo", { payload: Item, success: Item }, ({ id, text }) => Effect.succeed({ id, text }))

  /** Calls `echo` from inside a function, `lanes` at a time, for `ms` milliseconds. */
  const nest = fn("nest", { payload: Lanes, success: Done }, ({ lanes, ms }) =>
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
  return {
    echo,
    nest,
    blob: fn("blob", { payload: size, success: Schema.Uint8Array }, ({ size }) => Effect.sync(() => blob(size))),
    record: fn("record", { payload: size, success: Record }, ({ size }) =>
      Effect.sync(() => ({ name: "record", data: blob(size) }))
    ),
    sink: fn("sink", { payload: Schema.Uint8Array, success: Schema.Number }, (bytes) =>
      Effect.succeed(bytes.byteLength)
    ),
    prepare: fn("prepare", { payload: size, success: Schema.Number }, ({ size }) => Effect.sync(() => prepare(size))),
    spin: fn("spin", { payload: { iters: Schema.Number }, success: Spun }, ({ iters }) =>
      Effect.sync(() => timedSpin(iters))
    ),
    items: fn("items", { payload: { n: Schema.Number }, success: Item, stream: true }, ({ n }) =>
      Stream.range(0, n - 1).pipe(Stream.map(item))
    ),
    chunks: fn(
      "chunks",
      { payload: { n: Schema.Number, size: Schema.Number }, success: Schema.Uint8Array, stream: true },
      ({ n, size }) => Stream.range(0, n - 1).pipe(Stream.map(() => blob(size)))
    ),
    hang: fn("hang", { success: Schema.Number }, () => Effect.never),
    pid: fn("pid", { success: Schema.Number }, () => Effect.sync(() => process.pid))
  }
}

/** Declares a service whose only procedure is the echo. */
export const defineEchoes = ({ Effect, Flame, Rpc, RpcGroup, Schema }) => {
  const Item = Schema.Struct({ id: Schema.Number, text: Schema.String })
  const Echoing = RpcGroup.make(Rpc.make("echo", { payload: Item, success: Item }))
  const handlers = Echoing.toLayer({ echo: ({ id, text }) => Effect.succeed({ id, text }) })
  return Flame.service("echoes", { group: Echoing }, () => handlers)
}

/** Declares the functions by which the parent drives the profiler of a runner. */
export const defineControl = ({ Flame, Schema }) => ({
  start: Flame.contract("profile.start", {}),
  stop: Flame.contract("profile.stop", { success: Schema.String })
})
