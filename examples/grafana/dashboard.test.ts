import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { Flame, FlameLayer, Pool } from "effect-flame"
import { settle } from "../../test/conformance/memory/harness.ts"

const quick = Flame.fn("quick", {}, () => Effect.void)
const broken = Flame.fn("broken", {}, () => Effect.die("no"))
const endless = Flame.fn("endless", {}, () => Effect.never)

/** The metrics as Prometheus reads them, after calls, failures, boots and ends have been counted. */
const scraped = Effect.gen(function* () {
  yield* Flame.call(quick)
  yield* Effect.exit(Flame.call(broken))
  const runs = yield* Effect.forkChild(Flame.call(endless), { startImmediately: true })
  const waits = yield* Effect.forkChild(Flame.call(endless), { startImmediately: true })
  yield* settle
  const before = yield* PrometheusMetrics.format()
  yield* Fiber.interruptAll([waits, runs])
  const { totals } = yield* (yield* Pool).status
  assert.deepInclude(totals, { calls: 4, succeeded: 1, failed: 1, interrupted: 2 })
  return { before, after: yield* PrometheusMetrics.format() }
}).pipe(Effect.provide(FlameLayer.test([quick, broken, endless], { max: 1 })))

/** The value of a series of the pool. */
const value = (text: string, name: string): number =>
  Number(new RegExp(`^${name}\\{pool="effect-flame/Pool"\\} (.*)$`, "m").exec(text)?.[1])

describe("the metrics in the text format of Prometheus", () => {
  it.effect("have names and labels that Prometheus accepts, _total for counters, and a type and a help line each", () =>
    Effect.gen(function* () {
      const { after, before } = yield* scraped
      assert.strictEqual(value(before, "flame_waiting"), 1)
      assert.strictEqual(value(before, "flame_busy_slots"), 1)
      assert.strictEqual(value(before, "flame_runners"), 1)
      assert.strictEqual(value(after, "flame_waiting"), 0)
      assert.strictEqual(value(after, "flame_calls_total"), 4)
      assert.strictEqual(value(after, "flame_calls_succeeded_total"), 1)
      assert.strictEqual(value(after, "flame_calls_failed_total"), 1)
      assert.strictEqual(value(after, "flame_calls_interrupted_total"), 2)
      assert.strictEqual(value(after, "flame_run_ms_count"), 2)
      const names = [...after.matchAll(/^# TYPE (flame_\w+) (\w+)$/gm)].map(([, name, type]) => [name ?? "", type])
      assert.isAbove(names.length, 10)
      for (const [name, type] of names) {
        assert.match(after, new RegExp(`^# HELP ${name} [A-Z]`, "m"))
        assert.strictEqual(name!.endsWith("_total"), type === "counter", name)
      }
    })
  )

  it.effect("are exactly the metrics that the dashboard shows", () =>
    Effect.gen(function* () {
      const { after } = yield* scraped
      const dashboard = JSON.parse(readFileSync(new URL("dashboard.json", import.meta.url), "utf8")) as {
        readonly panels: ReadonlyArray<{ readonly targets: ReadonlyArray<{ readonly expr: string }> }>
        readonly templating: { readonly list: ReadonlyArray<{ readonly query: string }> }
      }
      const texts = [
        ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
        ...dashboard.templating.list.map(({ query }) => query)
      ]
      const used = new Set(texts.flatMap((text) => text.match(/flame_\w+/g) ?? []))
      const series = new Set([...after.matchAll(/^(flame_\w+)\{/gm)].map(([, name]) => name ?? ""))
      assert.deepStrictEqual(
        [...used].filter((name) => !series.has(name)),
        []
      )
      const families = [...after.matchAll(/^# TYPE (flame_\w+) /gm)].map(([, name]) => name ?? "")
      assert.deepStrictEqual(
        families.filter((name) => ![...used].some((it) => it.replace(/_(bucket|sum|count)$/, "") === name)),
        []
      )
      for (const expr of dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))) {
        assert.match(expr, /pool=~"\$pool"/)
      }
    })
  )
})
