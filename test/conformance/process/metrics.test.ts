import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Flame from "../../../src/Flame.ts"
import { fixture, onPool } from "../../fixtures/conformance-process/harness.ts"
import { crawl } from "../../fixtures/conformance-process/runner-metrics.ts"

const entry = fixture("runner-metrics.ts")

const stateOf = (id: string) =>
  Effect.map(
    Metric.snapshot,
    (all) => all.find((series) => series.id === id && series.attributes?.["pool"] === "effect-flame/Pool")?.state
  )

const own = <A, E>(effect: Effect.Effect<A, E>) => Effect.provideService(effect, Metric.MetricRegistry, new Map())

describe("metrics of functions in a runner's process", () => {
  it.live("are in the parent's registry while the runners live, added up over all runners [C311]", () =>
    own(
      onPool({ entry, min: 2, max: 2, metricsInterval: 100 }, () =>
        Effect.gen(function* () {
          yield* Effect.all(
            Array.from({ length: 6 }, () => Flame.call(crawl, { pages: 7 })),
            { concurrency: 2 }
          )
          for (;;) {
            const state = (yield* stateOf("fixture_pages_seen")) as { readonly count: number } | undefined
            if (state?.count === 42) break
            yield* Effect.sleep(20)
          }
          assert.deepInclude(yield* stateOf("fixture_page_bytes"), { count: 6, sum: 42, min: 7, max: 7 })
        })
      )
    )
  )

  it.live("have all arrived when the pool is closed, however short its runners lived [C311]", () =>
    own(
      Effect.gen(function* () {
        yield* onPool({ entry, max: 1, metricsInterval: "1 hour" }, () => Flame.call(crawl, { pages: 3 }))
        assert.deepInclude(yield* stateOf("fixture_pages_seen"), { count: 3 })
      })
    )
  )
})
