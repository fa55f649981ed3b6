/**
 * Tests of streams on any backend.
 *
 * | row | what holds |
 * |-----|------------|
 * | S1  | all items arrive, in order, however many and however they are cut into chunks |
 * | S2  | an empty stream ends at once; items of 0 bytes count as any other |
 * | S3  | items are instances of their classes; a codec that needs services has them on both sides |
 * | S4  | a slow consumer holds the function back: the function is ahead by a bounded number of bytes |
 * | S5  | the function's typed error comes after the items before it, also if there is no stream yet |
 * | S6  | a defect comes after the items before it, as a RemoteDefect; so does an item that does not fit its schema |
 * | S7  | the end of the consumer interrupts the function and waits for its finalizers there |
 * | S8  | interruption of the consumer does the same |
 * | S9  | the budget covers the whole stream: at its end the consumer fails at once, and the function is stopped |
 * | S10 | a stream holds its slot until it ends; others wait for it |
 * | S11 | a runner that drains lets a stream in flight end |
 * | S12 | a lost runner fails the stream with RunnerLost, after the items that have arrived; an idempotent stream that has emitted an item is not resent |
 * | S13 | an idempotent stream that has emitted nothing is resent to another runner |
 * | S14 | streams and small calls on one runner do not block each other |
 * | S15 | an item above `maxResult` fails the stream with PayloadTooLarge, after the items before it |
 * | S16 | an item of 100 MiB arrives beside small calls |
 * | S17 | random streams arrive as they were made, many at once |
 * | S18 | a stream that is not pulled costs nothing; each run of it is a call of its own |
 * | S20 | 64 MiB cross in both directions as one value and as a stream, and nothing is sent beyond the limits |
 * | S19 | a payload that does not fit fails before anything is sent |
 */
import * as Assert from "node:assert/strict"
import { Cause, Effect, Exit, Fiber, Layer, Stream } from "effect"
import { Flame, Pool } from "../../../src/index.ts"
import type { PoolOptions } from "../../../src/pool/option/PoolOptions.ts"
import { eventually, nextName } from "../../../src/testing/Conformance.ts"
import { reasonOf, type SuiteOptions, testOn, upTo, watched } from "../registering.ts"
import * as F from "./functions.ts"

export type StreamConformanceOptions<E> = SuiteOptions<E>

const withPool = <A, E, R>(options: PoolOptions, use: Effect.Effect<A, E, R>) =>
  Effect.provide(use, Layer.merge(Pool.layer({ max: 1, concurrency: 8, ...options }), F.Offset.layer), { local: true })

const noted = (line: string) => Effect.map(Flame.call(F.read), (lines) => lines.includes(line))

/** Collects the items of a stream, and how the stream ended. */
const collect = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.gen(function* () {
    const items: Array<A> = []
    const exit = yield* Effect.exit(Stream.runForEach(stream, (item) => Effect.sync(() => void items.push(item))))
    return { items, exit }
  })

/** Registers the tests of streams on a backend. */
export const streamConformance = <E>(name: string, options: StreamConformanceOptions<E>): void =>
  options.describe(`streams on ${name}`, () => {
    const test = testOn(options)

    test(
      "all items arrive in order [S1]",
      withPool(
        {},
        Effect.gen(function* () {
          for (const to of [1, 2, 4_095, 4_097, 300_000])
            Assert.deepEqual(yield* Stream.runCollect(Flame.stream(F.count, { to })), upTo(to))
          Assert.deepEqual(yield* Stream.runCollect(Flame.stream(F.slowly, { to: 5, pause: 2 })), upTo(5))
        })
      )
    )

    test(
      "an empty stream ends at once, and empty items count [S2]",
      withPool(
        {},
        Effect.gen(function* () {
          Assert.deepEqual(yield* Stream.runCollect(Flame.stream(F.count, { to: 0 })), [])
          Assert.deepEqual(yield* Stream.runCollect(Flame.stream(F.ticks, { n: 0 })), [])
          const ticks = yield* Stream.runCollect(Flame.stream(F.ticks, { n: 5_000 }))
          Assert.deepEqual(ticks, new Array(5_000).fill(undefined))
          const sizes = [0, 0, 1, 0, 127, 128, 0, 4_096, 4_097, 16_384, 16_385, 32_768, 70_000, 0]
          const items = yield* Stream.runCollect(Flame.stream(F.bytes, { sizes }))
          Assert.deepEqual(
            items.map(({ length }) => length),
            sizes
          )
          items.forEach((item, i) => Assert.ok(item.every((byte) => byte === i)))
        })
      )
    )

    test(
      "items arrive as instances of their classes, through codecs that need services too [S3]",
      withPool(
        {},
        Effect.gen(function* () {
          const points = yield* Stream.runCollect(Flame.stream(F.points, { n: 3 }))
          Assert.ok(points.every((point) => point instanceof F.Point))
          Assert.deepEqual(
            points.map(({ label, x }) => [x, label]),
            upTo(3).map((x) => [x, "here"])
          )
          Assert.deepEqual(yield* Stream.runCollect(Flame.stream(F.moved, { n: 1_000 })), upTo(1_000))
        })
      )
    )

    for (const size of [64, 1_000, 65_536]) {
      test(
        `a slow consumer holds the function back, with items of ${size} bytes [S4]`,
        withPool(
          {},
          Effect.gen(function* () {
            const name = nextName()
            const made = Flame.call(F.poured, { name })
            const stream = Flame.stream(F.pour, { name, size })
            yield* Stream.runForEachArray(stream, (items) =>
              Effect.gen(function* () {
                let before = -1
                // Waits until the number of items does not change any more.
                yield* eventually(
                  Effect.map(Effect.delay(made, 20), (now) => {
                    const still = now === before
                    before = now
                    return still
                  }),
                  "the function is held back"
                )
                // The window, the bytes that may wait to leave, and a chunk that is being made.
                Assert.ok(before * size <= 5 * 128 * 1024 + items.length * size, `${before} items were made`)
                return yield* Effect.interrupt
              })
            ).pipe(Effect.exit)
          })
        )
      )
    }

    test(
      "a typed error arrives after the items before it [S5]",
      withPool(
        {},
        Effect.gen(function* () {
          for (const after of [0, 1, 100_000]) {
            const { exit, items } = yield* collect(Flame.stream(F.stopping, { after, how: "error" }))
            Assert.equal(items.length, after)
            const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
            Assert.ok(error instanceof F.Stopped)
            Assert.deepEqual([error.at, error.when], [after, new Date(0)])
          }
          const early = yield* collect(Flame.stream(F.never))
          Assert.ok(Exit.isFailure(early.exit) && Cause.squash(early.exit.cause) instanceof F.Stopped)
        })
      )
    )

    test(
      "a defect arrives after the items before it [S6]",
      withPool(
        {},
        Effect.gen(function* () {
          for (const how of ["defect", "misfit"] as const) {
            const { exit, items } = yield* collect(Flame.stream(F.stopping, { after: 1_000, how }))
            Assert.equal(items.length, 1_000)
            Assert.ok(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
            const defect = Cause.squash(exit.cause)
            Assert.ok(defect instanceof Flame.RemoteDefect, String(defect))
            Assert.match(defect.message, how === "defect" ? /at 1000/ : /an item of stream\/stopping/)
          }
          Assert.equal(yield* Flame.call(F.echo, 1), 1)
        })
      )
    )

    test(
      "a consumer that takes no more items interrupts the function and waits for its finalizers [S7]",
      withPool(
        {},
        Effect.gen(function* () {
          const name = nextName()
          const stream = Flame.stream(F.hold, { name, first: 10, cleanup: 100 })
          Assert.deepEqual(yield* Stream.runCollect(Stream.take(stream, 3)), [1, 2, 3])
          Assert.ok(yield* noted(`${name} is cleaned up`))
          Assert.equal((yield* (yield* Pool).status).busySlots, 0)
        })
      )
    )

    test(
      "a consumer that is interrupted interrupts the function and waits for its finalizers [S8]",
      withPool(
        {},
        Effect.gen(function* () {
          const name = nextName()
          const fiber = yield* Effect.forkChild(
            Stream.runDrain(Flame.stream(F.hold, { name, first: 10, cleanup: 100 }))
          )
          yield* eventually(noted(`${name} runs`), "the function runs")
          yield* Fiber.interrupt(fiber)
          Assert.ok(yield* noted(`${name} is cleaned up`))
        })
      )
    )

    test(
      "the timeout covers the whole stream [S9]",
      withPool(
        { min: 1, awaitMin: true },
        Effect.gen(function* () {
          const name = nextName()
          const { exit, items } = yield* collect(
            Flame.stream(F.hold, { name, first: 10, cleanup: 0 }, { timeout: "1500 millis" })
          )
          Assert.deepEqual(items, upTo(10))
          const reason = reasonOf(exit)
          Assert.ok(reason._tag === "TimedOut" && reason.phase === "running", reason.message)
          yield* eventually(noted(`${name} is cleaned up`), "the function is stopped")
        })
      )
    )

    test(
      "a stream holds its slot until it ends [S10]",
      withPool(
        { concurrency: 1 },
        Effect.gen(function* () {
          const name = nextName()
          const held = yield* Effect.forkChild(Stream.runDrain(Flame.stream(F.hold, { name, first: 1, cleanup: 0 })))
          const pool = yield* Pool
          yield* eventually(
            Effect.map(pool.status, ({ busySlots }) => busySlots === 1),
            "the stream runs"
          )
          const waiting = yield* Effect.forkChild(Stream.runCollect(Flame.stream(F.count, { to: 3 })))
          yield* eventually(
            Effect.map(pool.status, (status) => status.waiting === 1),
            "the other waits"
          )
          yield* Fiber.interrupt(held)
          Assert.deepEqual(yield* Fiber.join(waiting), [1, 2, 3])
        })
      )
    )

    test(
      "a stream in flight ends normally while its runner drains [S11]",
      withPool(
        {},
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(Stream.runCollect(Flame.stream(F.slowly, { to: 20, pause: 20 })))
          const pool = yield* Pool
          yield* eventually(
            Effect.map(pool.status, ({ busySlots }) => busySlots === 1),
            "the stream runs"
          )
          yield* pool.drain
          Assert.deepEqual(yield* Fiber.join(fiber), upTo(20))
        })
      )
    )

    for (const fn of [F.hold, F.again]) {
      test(
        `a stream whose runner is lost fails after the items that have arrived: ${fn.name} [S12]`,
        watched((runners) =>
          withPool(
            { max: 2 },
            Effect.gen(function* () {
              const name = nextName()
              const items: Array<number> = []
              const stream = Flame.stream(fn as typeof F.hold, { name, first: 10, cleanup: 0 })
              const fiber = yield* Effect.forkChild(
                Effect.exit(Stream.runForEach(stream, (item) => Effect.sync(() => void items.push(item))))
              )
              yield* eventually(
                Effect.sync(() => items.length === 10),
                "the items come"
              )
              yield* runners[0]!.kill("the suite")
              const reason = reasonOf(yield* Fiber.join(fiber))
              Assert.ok(reason._tag === "RunnerLost", reason.message)
              Assert.deepEqual([reason.mayHaveRun, items], [true, upTo(10)])
            })
          )
        )
      )
    }

    test(
      "an idempotent stream that has emitted nothing is resent to another runner [S13]",
      watched((runners) =>
        withPool(
          { max: 2 },
          Effect.gen(function* () {
            const name = nextName()
            const fiber = yield* Effect.forkChild(Stream.runDrain(Flame.stream(F.again, { name, first: 0 })))
            yield* eventually(noted(`${name} runs`), "it runs")
            yield* runners[0]!.kill("the suite")
            yield* eventually(
              Effect.sync(() => runners.length === 2),
              "another runner"
            )
            const pool = yield* Pool
            yield* eventually(
              Effect.map(pool.status, ({ busySlots, ready }) => ready === 1 && busySlots === 1),
              "it runs again"
            )
            yield* Fiber.interrupt(fiber)
          })
        )
      )
    )

    test(
      "streams and small calls on one runner do not block each other [S14]",
      withPool(
        {},
        Effect.gen(function* () {
          let bytes = 0
          const pouring = (size: number) =>
            Stream.runForEachArray(Flame.stream(F.pour, { name: nextName(), size }), (items) =>
              Effect.sync(() => void (bytes += items.length * size))
            )
          const first = yield* Effect.forkChild(pouring(65_536))
          const second = yield* Effect.forkChild(pouring(100))
          for (let i = 0; i < 200; i++) Assert.equal(yield* Flame.call(F.echo, i), i)
          const counted = yield* Stream.runCollect(Flame.stream(F.count, { to: 100_000 }))
          Assert.equal(counted.length, 100_000)
          Assert.ok(bytes > 0)
          yield* Fiber.interruptAll([first, second])
        })
      )
    )

    test(
      "an item that is too large fails the stream, after the items before it [S15]",
      withPool(
        { maxResult: 50_000 },
        Effect.gen(function* () {
          const { exit, items } = yield* collect(Flame.stream(F.bytes, { sizes: [50_000, 3, 50_000, 50_001, 4] }))
          Assert.deepEqual(
            items.map(({ length }) => length),
            [50_000, 3, 50_000]
          )
          const reason = reasonOf(exit)
          Assert.ok(reason._tag === "PayloadTooLarge", reason.message)
          Assert.deepEqual([reason.size, reason.limit, reason.direction], [50_001, 50_000, "result"])
          Assert.deepEqual(yield* Stream.runCollect(Flame.stream(F.count, { to: 3 })), [1, 2, 3])
        })
      )
    )

    test(
      "an item of 100 MiB arrives while small calls go on [S16]",
      withPool(
        {},
        Effect.gen(function* () {
          const size = 100 * 1024 * 1024
          const large = yield* Effect.forkChild(Stream.runCollect(Flame.stream(F.bytes, { sizes: [1, size, 2] })))
          let calls = 0
          while (large.pollUnsafe() === undefined) {
            yield* Flame.call(F.echo, 1)
            calls++
          }
          const items = yield* Fiber.join(large)
          Assert.deepEqual(
            items.map(({ length }) => length),
            [1, size, 2]
          )
          Assert.deepEqual([items[1]![0], items[1]![size - 1], items[2]![0]], [1, 1, 2])
          Assert.ok(calls > 10, `${calls} calls`)
        })
      )
    )

    test(
      "64 MiB cross in both directions, as one value and as a stream [S20]",
      withPool(
        { maxPayload: 64 * 1024 * 1024 },
        Effect.gen(function* () {
          const size = 64 * 1024 * 1024
          const value = new Uint8Array(size).fill(5)
          const back = yield* Flame.call(F.mirror, value)
          Assert.ok(back.length === size && back[0] === 5 && back[size - 1] === 5)
          const chunk = 64 * 1024
          const total = yield* Stream.runFold(
            Flame.stream(F.bytes, { sizes: new Array<number>(size / chunk).fill(chunk) }),
            () => 0,
            (sum, { length }) => sum + length
          )
          Assert.equal(total, size)
          const refused = reasonOf(yield* Effect.exit(Flame.call(F.mirror, new Uint8Array(size + 1))))
          Assert.ok(refused._tag === "PayloadTooLarge" && refused.direction === "payload", refused.message)
        })
      )
    )

    test(
      "random streams arrive as they were made, many at once [S17]",
      withPool(
        {},
        Effect.forEach(
          upTo(24),
          (seed) =>
            Effect.gen(function* () {
              const n = 20
              const expected = F.chunksOf(seed, n).flat()
              const next = F.randomOf(seed)
              const stop = next() < 0.3 ? Math.floor(next() * expected.length) + 1 : expected.length
              const got = yield* Flame.stream(F.random, { seed, n }).pipe(
                Stream.tap(() => (next() < 0.05 ? Effect.sleep(1) : Effect.void)),
                Stream.take(stop),
                Stream.runCollect
              )
              Assert.ok(
                got.length === stop && got.every((text, i) => text === expected[i]),
                `seed ${seed} gives something else`
              )
            }),
          { concurrency: 8, discard: true }
        )
      )
    )

    test(
      "each run of a stream is a call of its own [S18]",
      withPool(
        {},
        Effect.gen(function* () {
          const stream = Flame.stream(F.count, { to: 3 })
          const pool = yield* Pool
          Assert.equal((yield* pool.status).totals.calls, 0)
          Assert.deepEqual(yield* Stream.runCollect(Stream.concat(stream, stream)), [1, 2, 3, 1, 2, 3])
          Assert.equal((yield* pool.status).totals.calls, 2)
        })
      )
    )

    test(
      "a payload that does not fit fails the stream before anything is sent [S19]",
      withPool(
        {},
        Effect.gen(function* () {
          const { exit } = yield* collect(Flame.stream(F.count, { to: 0.5 }))
          Assert.equal(reasonOf(exit)._tag, "InvalidPayload")
        })
      )
    )
  })
