// Measures calls that wait for a slot: bytes per call, less those of a fiber that waits on a Deferred; time per call by queue
// length; and the answer to the call beyond the queue's capacity.
import { collect, item } from "../work/work.mjs"

const now = () => performance.now()
const median = (a) => a.toSorted((x, y) => x - y)[a.length >> 1]

export const makeWaiting = ({ Deferred, Effect, Fiber }, { describe, echo, hang, slots }) => {
  const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

  const heap = Effect.gen(function* () {
    for (let i = 0; i < 3; i++) {
      yield* turn
      collect()
    }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  })

  const forkAll = Effect.fnUntraced(function* (n, make) {
    const fibers = new Array(n)
    for (let i = 0; i < n; i++) fibers[i] = yield* Effect.forkChild(make(i), { startImmediately: true })
    return fibers
  })

  const allSucceeded = Effect.fnUntraced(function* (fibers) {
    const exits = yield* Fiber.awaitAll(fibers)
    const failed = exits.find((exit) => exit._tag === "Failure")
    if (failed) throw describe(failed.cause)
  })

  /** Bytes per fiber of `n` waiting fibers. Runs `whileWaiting` while all wait, then lets them end by `release`. */
  const bytesEach = Effect.fnUntraced(function* (n, make, release, whileWaiting) {
    const before = yield* heap
    const fibers = yield* forkAll(n, make)
    const bytes = ((yield* heap) - before) / n
    const seen = yield* whileWaiting
    yield* release
    yield* allSucceeded(fibers)
    return { bytes, seen }
  })

  const onDeferred = Effect.fnUntraced(function* (n) {
    const gate = yield* Deferred.make()
    return yield* bytesEach(n, () => Deferred.await(gate), Deferred.succeed(gate, undefined), Effect.void)
  })

  const onSlot = Effect.fnUntraced(function* (n, whileWaiting) {
    const holders = yield* forkAll(slots, hang)
    return yield* bytesEach(n, (i) => echo(item(i)), Fiber.interruptAll(holders), whileWaiting)
  })

  const refused = Effect.gen(function* () {
    const t = now()
    const exit = yield* Effect.exit(Effect.timeout(echo(item(0)), "2 seconds"))
    const ms = now() - t
    return { ms, what: exit._tag === "Failure" ? describe(exit.cause).name : "not refused" }
  })

  /** The median time of several calls beyond the capacity. The first runs cold code, so one call alone would say little. */
  const refusal = Effect.gen(function* () {
    const all = []
    for (let i = 0; i < 21; i++) all.push(yield* refused)
    const odd = all.find(({ what }) => what !== all[0].what)
    return { what: (odd ?? all[0]).what, ms: median(all.map(({ ms }) => ms)), first_ms: all[0].ms }
  })

  /** µs per call of making `n` calls wait, and of serving them once the slots are free (from the first answer on). */
  const cost = Effect.fnUntraced(function* (n) {
    const holders = yield* forkAll(slots, hang)
    yield* heap
    let first = 0
    const mark = Effect.sync(() => (first = now()))
    const t = now()
    const fibers = yield* forkAll(n, (i) => (i === 0 ? Effect.tap(echo(item(i)), mark) : echo(item(i))))
    const waited = now()
    const releasing = yield* Effect.forkChild(Fiber.interruptAll(holders))
    yield* allSucceeded(fibers)
    const done = now()
    yield* Fiber.await(releasing)
    return { enter: ((waited - t) * 1000) / n, serve: ((done - first) * 1000) / n }
  })

  const costs = Effect.fnUntraced(function* (n, times) {
    const all = []
    for (let i = 0; i < times; i++) all.push(yield* cost(n))
    return { enter_us: median(all.map((c) => c.enter)), serve_us: median(all.map((c) => c.serve)) }
  })

  return Effect.fnUntraced(function* ({ sizes, capacity }) {
    yield* costs(sizes[0], 10)
    yield* onDeferred(sizes[0])
    const deferred = yield* onDeferred(capacity)
    const call = yield* onSlot(capacity, refusal)
    const per = {}
    for (const n of sizes) per[n] = yield* costs(n, n <= 1000 ? 15 : n <= 10_000 ? 5 : 3)
    return { deferred_bytes: deferred.bytes, call_bytes: call.bytes, refusal: call.seen, per }
  })
}
