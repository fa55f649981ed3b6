import { assert, it } from "@effect/vitest"
import { Context, Metric } from "effect"
import { PoolMetrics } from "../../../src/pool/engine/PoolMetrics.ts"
import * as PoolSeries from "../../../src/pool/engine/PoolSeries.ts"

const setup = () => {
  const registry = new Map<string, Metric.Metric.Hooks<unknown, unknown>>()
  const context = Context.make(Metric.MetricRegistry, registry as never)
  const gauges = { waiting: 1, used: 0, suspended: 0, free: 0, ready: 0, booting: 0 }
  const add = (pool: string) => {
    const metrics = new PoolMetrics()
    return { metrics, leave: PoolSeries.register(pool, context, { metrics, now: () => gauges }) }
  }
  const states = (id: string) =>
    Metric.snapshotUnsafe(context)
      .filter((metric) => metric.id === id)
      .map(({ state }) => state as unknown as Readonly<Record<string, unknown>>)
  return { add, states, size: () => registry.size }
}

it("two pools of one id share their series, which exists and never decreases until the last of them closes [C131]", () => {
  const { add, size, states } = setup()
  const older = add("app/Pool")
  for (let call = 0; call < 5; call++) older.metrics.submitted(false)
  older.metrics.booted(10, true)
  assert.deepStrictEqual(
    states("flame_calls_total").map(({ count }) => count),
    [5]
  )
  const younger = add("app/Pool")
  younger.metrics.submitted(false)
  younger.metrics.booted(30, true)
  const all = size()
  assert.deepStrictEqual(
    states("flame_calls_total").map(({ count }) => count),
    [6]
  )
  assert.deepStrictEqual(
    states("flame_waiting").map(({ value }) => value),
    [2]
  )
  assert.deepStrictEqual(
    states("flame_boot_ms").map(({ count, max, min, sum }) => [count, min, max, sum]),
    [[2, 10, 30, 40]]
  )
  younger.leave()
  younger.leave()
  assert.strictEqual(size(), all)
  assert.deepStrictEqual(
    states("flame_calls_total").map(({ count }) => count),
    [6]
  )
  assert.deepStrictEqual(
    states("flame_waiting").map(({ value }) => value),
    [1]
  )
  older.leave()
  assert.strictEqual(size(), 0)
  add("app/Pool")
  assert.deepStrictEqual(
    states("flame_calls_total").map(({ count }) => count),
    [0]
  )
})

it("pools of two ids have separate series", () => {
  const { add, states } = setup()
  add("app/One").metrics.submitted(false)
  const other = add("app/Two")
  other.leave()
  assert.deepStrictEqual(
    states("flame_calls_total").map(({ count }) => count),
    [1]
  )
})
