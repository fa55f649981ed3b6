import { assert, describe, it } from "@effect/vitest"
import { Effect, Metric } from "effect"
import { MetricArrival } from "../../../src/pool/life/MetricArrival.ts"
import { RunnerSeries } from "../../../src/pool/engine/RunnerSeries.ts"
import { frames, type MetricDelta, metricsLimit } from "../../../src/wire/MetricDelta.ts"

const arriving = Effect.map(Effect.context<never>(), (context) => {
  let now = 0
  const arrival = new MetricArrival(new RunnerSeries("app/Pool", context), "r1", () => now)
  const take = (value: unknown) => arrival.take(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)))
  return { take, later: (millis: number) => void (now += millis) }
})

const withRegistry = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

const counter = { type: "Counter", id: "visits", add: 1, incremental: true }
const spread = { count: 1, sum: 1, min: 1, max: 1 }

describe("a Metrics frame of a runner", () => {
  it.effect.each([
    ["no JSON", "[", "a Metrics frame that is no JSON"],
    ["no list", {}, "a Metrics frame that is no list"],
    [
      "more than the limit",
      `[${" ".repeat(metricsLimit)}]`,
      `a Metrics frame of ${metricsLimit + 2} bytes, the limit is ${metricsLimit}`
    ]
  ] as const)("with %s is wrong [C312]", ([, body, wrong]) =>
    withRegistry(
      Effect.gen(function* () {
        const { take } = yield* arriving
        assert.strictEqual(take(body), wrong)
        assert.lengthOf(yield* Metric.snapshot, 0)
      })
    )
  )

  it.effect.each([
    ["an unknown type", { ...counter, type: "Nothing" }],
    ["a count that is no number", { ...counter, add: "many" }],
    ["a gauge that JSON cannot say", { type: "Gauge", id: "g", value: null }],
    ["a negative bucket", { type: "Histogram", id: "h", add: [[1, -1]], ...spread }],
    [
      "a bound that JSON cannot say before the last one",
      {
        type: "Histogram",
        id: "h",
        add: [
          [null, 1],
          [1, 1]
        ],
        ...spread
      }
    ],
    ["a sum that JSON cannot say", { type: "Histogram", id: "h", add: [[1, 1]], ...spread, sum: null }],
    ["no name", { ...counter, id: undefined }],
    [
      "buckets without end",
      { type: "Histogram", id: "h", add: Array.from({ length: 501 }, (_, n) => [n, 0]), ...spread }
    ]
  ] as const)("with a change that has %s loses that change alone [C312]", ([, change]) =>
    withRegistry(
      Effect.gen(function* () {
        const { take } = yield* arriving
        assert.isUndefined(take([change, counter]))
        assert.deepStrictEqual(
          (yield* Metric.snapshot).map(({ id }) => id),
          ["visits"]
        )
      })
    )
  )

  it.effect("has names and attributes within a bound [C312]", () =>
    withRegistry(
      Effect.gen(function* () {
        const { take } = yield* arriving
        const attributes = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`a${n}`, "v".repeat(300)]))
        take([{ ...counter, id: "x".repeat(1_000), attributes }])
        const [series] = yield* Metric.snapshot
        assert.strictEqual(series?.id.length, 200)
        // and the pool
        assert.lengthOf(Object.keys(series?.attributes ?? {}), 17)
        assert.strictEqual(series?.attributes?.["a0"]?.length, 200)
      })
    )
  )

  it.effect("has names without control characters, and cannot set a prototype [C312]", () =>
    withRegistry(
      Effect.gen(function* () {
        const { take } = yield* arriving
        take(
          '[{"type":"Counter","id":"a\\u001b[31mb","add":1,"incremental":true,"attributes":{"__proto__":"x","k":"v\\u0000"}}]'
        )
        const [series] = yield* Metric.snapshot
        assert.strictEqual(series?.id, "ab")
        assert.deepStrictEqual(Object.entries(series?.attributes ?? {}), [
          ["k", "v"],
          ["pool", "app/Pool"]
        ])
      })
    )
  )

  it.effect("is dropped if it is beyond 100 in a second [C312]", () =>
    withRegistry(
      Effect.gen(function* () {
        const { later, take } = yield* arriving
        for (let n = 0; n < 150; n++) assert.isUndefined(take([counter]))
        later(1_000)
        take([counter])
        const [series] = yield* Metric.snapshot
        assert.deepStrictEqual(series?.state, { count: 101, incremental: true })
      })
    )
  )
})

describe("changes of metrics", () => {
  it("are packed into frames within the size limit, and a change above the limit is left out", () => {
    const delta = (id: string): MetricDelta => ({ type: "Counter", id, add: 1, incremental: true })
    const bodies = frames([delta("a".repeat(9_000)), delta("b".repeat(9_000)), delta("c".repeat(20_000)), delta("d")])
    assert.deepStrictEqual(
      bodies.map((body) => (JSON.parse(String(body)) as Array<MetricDelta>).map(({ id }) => id[0])),
      [["a"], ["b", "d"]]
    )
    assert.isEmpty(frames([]))
  })
})
