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
    ["an unknown type", [{ ...counter, type: "Nothing" }], "a Metrics frame with a change that is not understood here"],
    [
      "a count that is no number",
      [{ ...counter, add: "many" }],
      "a Metrics frame with a change that is not understood here"
    ],
    [
      "an infinite gauge",
      '[{"type":"Gauge","id":"g","value":1e999}]',
      "a Metrics frame with a change that is not understood here"
    ],
    [
      "a name without end",
      [{ ...counter, id: "x".repeat(201) }],
      "a Metrics frame with a change that is not understood here"
    ],
    [
      "a negative bucket",
      [{ type: "Histogram", id: "h", add: [[1, -1]], ...spread }],
      "a Metrics frame with a change that is not understood here"
    ],
    [
      "attributes without end",
      [{ ...counter, attributes: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`a${n}`, ""])) }],
      "a Metrics frame with a change that is not understood here"
    ],
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

  it.effect("has names without control characters, and cannot set a prototype [C312]", () =>
    withRegistry(
      Effect.gen(function* () {
        const { take } = yield* arriving
        take(
          '[{"type":"Counter","id":"a\\u001b[31mb","add":1,"incremental":true,"attributes":{"__proto__":"x","k":"v\\u0000"}}]'
        )
        const [series] = yield* Metric.snapshot
        assert.strictEqual(series?.id, "ab")
        assert.strictEqual(series?.attributes?.["k"], "v")
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
