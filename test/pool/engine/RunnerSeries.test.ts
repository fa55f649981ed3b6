import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Metric, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Flame from "../../../src/Flame.ts"
import * as FlameLayer from "../../../src/FlameLayer.ts"
import { mostSeries, mostWords, RunnerSeries } from "../../../src/pool/engine/RunnerSeries.ts"

const seen = Metric.counter("pages_seen", { description: "pages", incremental: true })
const depth = Metric.gauge("crawl_depth")
const sizes = Metric.histogram("page_bytes", { boundaries: [10, 100, 1_000] })
const kinds = Metric.frequency("page_kinds")
const took = Metric.summary("page_ms", { maxAge: "1 hour", maxSize: 100, quantiles: [0.5, 1] })

const crawl = Flame.fn("crawl", { payload: { pages: Schema.Int } }, ({ pages }) =>
  Effect.gen(function* () {
    yield* Metric.update(Metric.withAttributes(seen, { site: "a" }), pages)
    yield* Metric.update(depth, pages)
    yield* Metric.update(sizes, pages * 10)
    yield* Metric.update(kinds, pages > 5 ? "large" : "small")
    yield* Metric.update(took, pages)
  })
)

/** The series of a registry that functions have updated, by id. */
const raised = Effect.map(Metric.snapshot, (all) =>
  Object.fromEntries(
    all
      .filter(({ id }) => !id.startsWith("flame_"))
      .map(({ attributes, id, state }) => [id, { attributes, state: state as any }])
  )
)

/** The series, once `isThere` holds: a frame takes a few turns to arrive. */
const arrived = (isThere: (series: Effect.Success<typeof raised>) => boolean): typeof raised =>
  Effect.gen(function* () {
    for (;;) {
      const series = yield* raised
      if (isThere(series)) return series
      yield* Effect.promise(() => new Promise<void>((resolve) => void setImmediate(resolve)))
    }
  })

const withRegistry = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

const onPool = <A, E>(body: Effect.Effect<A, E, any>, options: FlameLayer.LocalOptions = {}) =>
  withRegistry(Effect.scoped(Effect.provide(body, FlameLayer.test([crawl], options))) as Effect.Effect<A, E>)

const widths = Metric.histogram("page_widths", {
  boundaries: Metric.linearBoundaries({ start: 0, width: 10, count: 4 })
})
const timed = Metric.timer("page_timed")

const measure = Flame.fn("measure", {}, () =>
  Effect.all([Metric.update(widths, 15), Metric.update(widths, 1_500), Metric.update(timed, Duration.millis(3))], {
    discard: true
  })
)

describe("a metric of a function on a runner", () => {
  it.effect("has an infinite last bound, as Effect's own boundaries and timers have [C311]", () =>
    withRegistry(
      Effect.scoped(
        Effect.provide(
          Effect.gen(function* () {
            yield* Flame.call(measure)
            yield* TestClock.adjust("5 seconds")
            const { page_timed, page_widths } = yield* arrived((all) => all["page_timed"] !== undefined)
            assert.deepStrictEqual(page_widths?.state.buckets, [
              [10, 0],
              [20, 1],
              [Infinity, 2]
            ])
            assert.strictEqual(page_timed?.state.count, 1)
          }),
          FlameLayer.test([measure])
        )
      ) as Effect.Effect<void>
    )
  )

  it.effect("is in the parent's registry after the interval, with a label for the pool [C311]", () =>
    onPool(
      Effect.gen(function* () {
        yield* Flame.call(crawl, { pages: 3 })
        assert.deepStrictEqual(yield* raised, {})
        yield* TestClock.adjust("5 seconds")
        const { crawl_depth, page_bytes, page_kinds, page_ms, pages_seen } = yield* arrived(
          (all) => all["page_ms"] !== undefined
        )
        const pool = "effect-flame/Pool"
        assert.deepStrictEqual(pages_seen, { attributes: { site: "a", pool }, state: { count: 3, incremental: true } })
        assert.deepStrictEqual(crawl_depth, { attributes: { pool }, state: { value: 3 } })
        assert.deepStrictEqual(page_kinds?.state.occurrences, new Map([["small", 1]]))
        assert.deepStrictEqual(page_bytes?.state, {
          buckets: [
            [10, 0],
            [100, 1],
            [1_000, 1]
          ],
          count: 1,
          sum: 30,
          min: 30,
          max: 30
        })
        assert.deepStrictEqual(page_ms?.state, {
          quantiles: [
            [0.5, 3],
            [1, 3]
          ],
          count: 1,
          sum: 3,
          min: 3,
          max: 3
        })
        yield* Flame.call(crawl, { pages: 20 })
        yield* TestClock.adjust("5 seconds")
        const later = yield* arrived((all) => all["pages_seen"]?.state.count !== 3)
        assert.strictEqual(later["pages_seen"]?.state.count, 23)
        assert.strictEqual(later["crawl_depth"]?.state.value, 20)
        assert.deepStrictEqual(later["page_bytes"]?.state.buckets, [
          [10, 0],
          [100, 1],
          [1_000, 2]
        ])
        assert.deepStrictEqual(
          later["page_kinds"]?.state.occurrences,
          new Map([
            ["small", 1],
            ["large", 1]
          ])
        )
      })
    )
  )

  it.effect("is added up over the runners of the pool, and arrives before a runner leaves [C311]", () =>
    onPool(
      Effect.gen(function* () {
        for (let calls = 0; calls < 3; calls++) yield* Flame.call(crawl, { pages: 2 })
        // Each runner has left after its call, long before the interval.
        yield* TestClock.adjust("1 second")
        const { page_bytes, pages_seen } = yield* arrived((all) => all["page_ms"]?.state.count === 3)
        assert.strictEqual(pages_seen?.state.count, 6)
        assert.strictEqual(page_bytes?.state.count, 3)
      }),
      { maxCalls: 1 }
    )
  )

  it.effect("is not sent if `metricsInterval` is Infinity [C311]", () =>
    onPool(
      Effect.gen(function* () {
        yield* Flame.call(crawl, { pages: 3 })
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(yield* raised, {})
      }),
      { metricsInterval: Infinity }
    )
  )

  it.effect("with many words arrives whole, and one that JSON cannot say costs nobody a session [C312]", () => {
    const words = Metric.frequency("words")
    const odd = Metric.gauge("odd")
    const talk = Flame.fn("talk", {}, () =>
      Effect.andThen(
        Metric.update(odd, NaN),
        Effect.forEach(Array.from({ length: 450 }), (_, n) => Metric.update(words, `${n} ${"w".repeat(500)}`), {
          discard: true
        })
      )
    )
    const body = Effect.gen(function* () {
      yield* Flame.call(talk)
      yield* TestClock.adjust("5 seconds")
      const { odd, words } = yield* arrived((all) => all["words"]?.state.occurrences.size === 450)
      assert.isUndefined(odd)
      assert.strictEqual(
        [...words!.state.occurrences.values()].reduce((sum, count) => sum + count),
        450
      )
      yield* Flame.call(talk)
    })
    return withRegistry(Effect.scoped(Effect.provide(body, FlameLayer.test([talk]))))
  })

  it.effect("stays in the registry when its pool closes", () =>
    withRegistry(
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.provide(Flame.call(crawl, { pages: 3 }), FlameLayer.test([crawl])))
        assert.strictEqual((yield* raised)["pages_seen"]?.state.count, 3)
      })
    )
  )
})

describe("the series of a pool's runners", () => {
  const series = Effect.map(Effect.context<never>(), (context) => new RunnerSeries("app/Pool", context))
  const count = (id: string, add: number | string, attributes: Readonly<Record<string, string>> = {}) =>
    ({ type: "Counter", id, attributes, add, incremental: true }) as const

  it.effect("are bounded in number, and a warning says so once [C312]", () =>
    withRegistry(
      Effect.gen(function* () {
        const all = yield* series
        for (let n = 0; n < mostSeries + 50; n++) all.add("r1", count("visits", 1, { user: `u${n}` }))
        assert.lengthOf(yield* Metric.snapshot, mostSeries)
        // Known series go on counting.
        all.add("r1", count("visits", 1, { user: "u0" }))
        const first = (yield* Metric.snapshot).find(({ attributes }) => attributes?.["user"] === "u0")
        assert.deepStrictEqual(first?.state, { count: 2, incremental: true })
      })
    )
  )

  it.effect("cannot replace a metric of the pool itself, or of another pool [C312]", () =>
    withRegistry(
      Effect.gen(function* () {
        const all = yield* series
        const own = [
          "flame_calls_total",
          "flame.waiting",
          "_flame_waiting",
          "--Flame__WAITING",
          "flame:waiting",
          "flameWaiting",
          "flame"
        ]
        for (const id of own) all.add("r1", count(id, 5))
        all.add("r1", count("visits", 5, { pool: "another" }))
        all.add("r1", count("flames", 5))
        const shown = (yield* Metric.snapshot).map(({ attributes, id }) => ({ id, attributes }))
        assert.deepStrictEqual(
          shown,
          ["visits", "flames"].map((id) => ({ id, attributes: { pool: "app/Pool" } }))
        )
      })
    )
  )

  it.effect("count without rounding, never decrease, and have a bounded number of words [C312]", () =>
    withRegistry(
      Effect.gen(function* () {
        const all = yield* series
        all.add("r1", count("big", "9007199254740993"))
        all.add("r2", count("big", 2))
        all.add("r2", count("big", -7))
        const words = Array.from({ length: mostWords + 20 }, (_, n) => [`w${n}`, 1] as const)
        all.add("r1", { type: "Frequency", id: "words", add: words })
        const [big, frequency] = (yield* Metric.snapshot).map(({ state }) => state as any)
        assert.strictEqual(big.count, 9007199254740995n)
        assert.strictEqual(frequency.occurrences.size, mostWords + 1)
        assert.strictEqual(frequency.occurrences.get("(others)"), 20)
      })
    )
  )

  it.effect("refuse adds whose sum is not finite, so that one runner does not spoil them for the others [C312]", () =>
    withRegistry(
      Effect.gen(function* () {
        const all = yield* series
        const huge = 1.7e308
        for (let n = 0; n < 2; n++) all.add("r1", count("visits", huge))
        all.add("r2", count("visits", "9007199254740993"))
        all.add("r2", count("visits", 1))
        const values = { count: 1, sum: huge, min: huge, max: huge }
        const infinite = { type: "Summary", id: "s", quantiles: [[0.5, huge]], ...values } as const
        for (let n = 0; n < 2; n++) all.add("r1", { type: "Histogram", id: "h", add: [[1, 1]], ...values })
        for (const runner of ["r1", "r2"]) all.add(runner, { ...infinite, sum: 1, count: 2 ** 53 - 1 })
        const [visits, histogram, summary] = (yield* Metric.snapshot).map(({ state }) => state as any)
        assert.strictEqual(visits.count, BigInt(huge) + 9_007_199_254_740_994n)
        assert.deepInclude(histogram, { buckets: [[1, 1]], count: 1, sum: huge })
        assert.deepStrictEqual(summary.quantiles, [[0.5, huge]])
      })
    )
  )

  it.effect("of a histogram with other bounds are left out, and quantiles are weighted by count", () =>
    withRegistry(
      Effect.gen(function* () {
        const all = yield* series
        const values = { count: 1, sum: 1, min: 1, max: 1 }
        all.add("r1", { type: "Histogram", id: "h", add: [[1, 1]], ...values })
        all.add("r2", { type: "Histogram", id: "h", add: [[2, 1]], ...values })
        all.add("r1", { type: "Summary", id: "s", quantiles: [[0.5, 10]], ...values, count: 3 })
        all.add("r2", { type: "Summary", id: "s", quantiles: [[0.5, 50]], ...values, count: 1 })
        const [histogram, summary] = (yield* Metric.snapshot).map(({ state }) => state as any)
        assert.strictEqual(histogram.count, 1)
        assert.deepStrictEqual(summary.quantiles, [[0.5, 20]])
        all.gone("r1")
        all.gone("r2")
        const later = (yield* Metric.snapshot).map(({ state }) => state as any)[1]
        assert.deepStrictEqual([later.quantiles, later.count], [[[0.5, 50]], 4])
      })
    )
  )
})
