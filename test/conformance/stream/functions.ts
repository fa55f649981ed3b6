/** The streaming functions of the suite. The runners of a backend under test serve these. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"
import * as Stream from "effect/Stream"
import * as Flame from "../../../src/Flame.ts"
import * as FlameRunner from "../../../src/FlameRunner.ts"

export class Stopped extends Schema.TaggedError<Stopped>()("stream/Stopped", { at: Schema.Int, when: Schema.Date }) {}

/** A service that a codec needs on both sides. */
export class Offset extends Context.Service<Offset, { readonly by: number }>()("stream/Offset") {
  static readonly layer = Layer.succeed(Offset, { by: 100 })
}

/** A number that the codec moves by the service's offset. */
export const Moved = Schema.Number.pipe(
  Schema.decodeTo(
    Schema.Number,
    SchemaTransformation.transformEffect({
      decode: (n: number) => Effect.map(Offset, ({ by }) => n - by),
      encode: (n: number) => Effect.map(Offset, ({ by }) => n + by)
    })
  )
)

export class Point extends Schema.Class<Point>("stream/Point")({ x: Schema.Number, label: Schema.String }) {}

// The journal of this process: of a runner, or of the test itself if runners are in memory. Names are unique.
const journal: Array<string> = []
const made = new Map<string, number>()
const note = (line: string) => Effect.sync(() => void journal.push(line))

/** Emits integers from 1. */
export const count = Flame.fn(
  "stream/count",
  { payload: { to: Schema.Int }, success: Schema.Int, stream: true },
  ({ to }) => (to < 1 ? Stream.empty : Stream.range(1, to))
)

/** Emits integers from 1, each after that many milliseconds. */
export const slowly = Flame.fn(
  "stream/slowly",
  { payload: { to: Schema.Int, pause: Schema.Int }, success: Schema.Int, stream: true },
  ({ pause, to }) =>
    Stream.range(1, to).pipe(
      Stream.rechunk(1),
      Stream.tap(() => Effect.sleep(pause))
    )
)

/** Emits points of a stream that an effect makes. */
export const points = Flame.fn(
  "stream/points",
  { payload: { n: Schema.Int }, success: Point, stream: true },
  Effect.fnUntraced(function* ({ n }) {
    const { id } = yield* FlameRunner.Current
    return Stream.range(1, n).pipe(Stream.map((x) => new Point({ x, label: id === "" ? "nowhere" : "here" })))
  })
)

/** Emits bytes without end, and counts them under a name. */
export const pour = Flame.fn(
  "stream/pour",
  { payload: { name: Schema.String, size: Schema.Int }, success: Schema.Uint8Array, stream: true },
  ({ name, size }) =>
    Stream.forever(
      Stream.sync(() => {
        made.set(name, (made.get(name) ?? 0) + 1)
        return new Uint8Array(size)
      })
    )
)

/** Returns the number of items that `pour` has made under a name. */
export const poured = Flame.fn("stream/poured", { payload: { name: Schema.String }, success: Schema.Int }, ({ name }) =>
  Effect.sync(() => made.get(name) ?? 0)
)

/** Emits some integers, and then fails with its own error or a defect. */
export const stopping = Flame.fn(
  "stream/stopping",
  {
    payload: { after: Schema.Int, how: Schema.Literals(["error", "defect", "misfit"]) },
    success: Schema.Int,
    error: Stopped,
    stream: true
  },
  ({ after, how }) => {
    const before = after < 1 ? Stream.empty : Stream.range(1, after)
    const end: Stream.Stream<number, Stopped> =
      how === "error"
        ? Stream.fail(new Stopped({ at: after, when: new Date(0) }))
        : how === "defect"
          ? Stream.die(new RangeError(`at ${after}`))
          : Stream.make(0.5)
    return Stream.concat(before, end)
  }
)

/** Fails before it has a stream. */
export const never = Flame.fn("stream/never", { success: Schema.Int, error: Stopped, stream: true }, () =>
  Effect.fail(new Stopped({ at: 0, when: new Date(0) }))
)

/** Emits that many integers, then waits until it is interrupted. Its finalizer takes that many milliseconds. */
export const hold = Flame.fn(
  "stream/hold",
  { payload: { name: Schema.String, first: Schema.Int, cleanup: Schema.Int }, success: Schema.Int, stream: true },
  ({ cleanup, first, name }) =>
    (first < 1 ? Stream.empty : Stream.range(1, first)).pipe(
      Stream.concat(Stream.never),
      Stream.onStart(note(`${name} runs`)),
      Stream.ensuring(Effect.andThen(Effect.sleep(cleanup), note(`${name} is cleaned up`)))
    )
)

/** Returns the journal of its process. */
export const read = Flame.fn("stream/read", { success: Schema.Array(Schema.String) }, () =>
  Effect.sync(() => [...journal])
)

/** Emits byte arrays of these sizes, each filled with its index. */
export const bytes = Flame.fn(
  "stream/bytes",
  { payload: { sizes: Schema.Array(Schema.Int) }, success: Schema.Uint8Array, stream: true },
  ({ sizes }) => Stream.fromIterable(sizes).pipe(Stream.map((size, i) => new Uint8Array(size).fill(i)))
)

/** Emits `void`, that many times. */
export const ticks = Flame.fn("stream/ticks", { payload: { n: Schema.Int }, stream: true }, ({ n }) =>
  n < 1 ? Stream.empty : Stream.range(1, n).pipe(Stream.map(() => undefined))
)

/** Emits numbers through a codec that needs a service. */
export const moved = Flame.fn("stream/moved", { payload: { n: Schema.Int }, success: Moved, stream: true }, ({ n }) =>
  Stream.range(1, n)
)

/** Is idempotent. Writes a line into the journal at each run, then waits. */
export const again = Flame.fn(
  "stream/again",
  { payload: { name: Schema.String, first: Schema.Int }, success: Schema.Int, stream: true, idempotent: true },
  ({ first, name }) =>
    (first < 1 ? Stream.empty : Stream.range(1, first)).pipe(
      Stream.concat(Stream.never),
      Stream.onStart(note(`${name} runs`))
    )
)

/** Emits texts in chunks. The seed determines the sizes of both. */
export const random = Flame.fn(
  "stream/random",
  { payload: { seed: Schema.Int, n: Schema.Int }, success: Schema.String, stream: true },
  ({ n, seed }) => Stream.fromIterable(chunksOf(seed, n)).pipe(Stream.flattenIterable)
)

/** A small pseudo-random generator, the same in every process. */
export const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** The items of `random`, chunk by chunk. */
export const chunksOf = (seed: number, n: number): ReadonlyArray<ReadonlyArray<string>> => {
  const next = randomOf(seed)
  const sizes = [0, 1, 5, 100, 3_000, 16_380, 20_000, 70_000]
  return Array.from({ length: n }, (_, chunk) =>
    Array.from({ length: Math.floor(next() * 20) + 1 }, (_, i) =>
      `${chunk}.${i}`.padEnd(Math.floor(sizes[Math.floor(next() ** 3 * sizes.length)]! * next()), "x")
    )
  )
}

/** A plain function to call beside streams. */
export const echo = Flame.fn("stream/echo", { payload: Schema.Int, success: Schema.Int }, (n) => Effect.succeed(n))

/** Emits the bytes that it gets. */
export const mirror = Flame.fn("stream/mirror", { payload: Schema.Uint8Array, success: Schema.Uint8Array }, (bytes) =>
  Effect.succeed(bytes)
)

export const streamFunctions = [
  mirror,
  count,
  slowly,
  points,
  pour,
  poured,
  stopping,
  never,
  hold,
  read,
  bytes,
  ticks,
  moved,
  again,
  random,
  echo
] as const
