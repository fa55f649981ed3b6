/**
 * The figures of pools in Effect's registry of metrics, as `flame_*` with the id of the pool.
 *
 * A registry has one series per id. Pools of one id, such as those of two layers, share it: the series is their sum. A
 * counter must not decrease, so the counts of closed pools stay until the last pool of the id closes.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { bounds, PoolMetrics } from "./PoolMetrics.ts"

/** The figures of a pool now. */
export type Gauges = Readonly<Record<"waiting" | "used" | "suspended" | "free" | "ready" | "booting", number>>

interface Source {
  readonly metrics: PoolMetrics
  readonly now: () => Gauges
}

/** The series of one id in one registry. */
interface Series {
  readonly open: Set<Source>
  readonly closed: PoolMetrics
  readonly remove: () => void
}

const registries = new WeakMap<object, Map<string, Series>>()

/** Adds a pool to the registry of a context. The returned function removes it. */
export const register = (pool: string, context: Context.Context<never>, source: Source): (() => void) => {
  const registry = Context.get(context, Metric.MetricRegistry)
  let all = registries.get(registry)
  if (all === undefined) registries.set(registry, (all = new Map()))
  const key = JSON.stringify([pool, Context.get(context, Metric.CurrentMetricAttributes)])
  let series = all.get(key)
  if (series === undefined) all.set(key, (series = make(pool, context)))
  const { closed, open, remove } = series
  open.add(source)
  return () => {
    if (!open.delete(source)) return
    closed.absorb(source.metrics)
    if (open.size > 0) return
    all.delete(key)
    remove()
  }
}

const make = (pool: string, context: Context.Context<never>): Series => {
  const open = new Set<Source>()
  const closed = new PoolMetrics()
  const attributes = { pool }
  const registrations: Array<Metric.Registration> = []
  const total = () => {
    const sum = new PoolMetrics()
    sum.absorb(closed)
    for (const { metrics } of open) sum.absorb(metrics)
    return sum
  }
  const unused = { update() {}, modify() {} }
  const counter = (name: string, description: string, read: (sum: PoolMetrics) => number) => {
    const metric = Metric.counter(name, { description, incremental: true, attributes })
    const get = () => ({ count: read(total()), incremental: true })
    registrations.push(Metric.registerUnsafe(metric, context, { get, ...unused }))
  }
  const gauge = (name: string, description: string, figure: keyof Gauges) => {
    const metric = Metric.gauge(name, { description, attributes })
    const get = () => ({ value: Array.from(open).reduce((sum, { now }) => sum + now()[figure], 0) })
    registrations.push(Metric.registerUnsafe(metric, context, { get, ...unused }))
  }
  const histogram = (name: string, description: string, read: (sum: PoolMetrics) => Metric.HistogramState) => {
    const metric = Metric.histogram(name, { description, boundaries: bounds, attributes })
    registrations.push(Metric.registerUnsafe(metric, context, { get: () => read(total()), ...unused }))
  }
  counter("flame_calls_total", "Calls that were made, casts included", (sum) => sum.calls)
  counter("flame_calls_succeeded_total", "Calls that succeeded", (sum) => sum.succeeded)
  counter("flame_calls_failed_total", "Calls that failed, for whatever reason", (sum) => sum.failures)
  counter("flame_calls_interrupted_total", "Calls whose callers were interrupted", (sum) => sum.interrupted)
  counter("flame_casts_failed_total", "Casts that failed, which nobody awaited", (sum) => sum.castsFailed)
  counter("flame_boots_total", "Boots that were tried", (sum) => sum.boots)
  counter("flame_boots_failed_total", "Boots that failed", (sum) => sum.bootsFailed)
  counter("flame_runners_lost_total", "Runners that went without being told to", (sum) => sum.runnersLost)
  gauge("flame_waiting", "Calls that wait for a slot now", "waiting")
  gauge("flame_busy_slots", "Slots that calls have now", "used")
  gauge("flame_free_slots", "Slots that calls could have at once now", "free")
  gauge("flame_suspended", "Calls that wait for those which their functions make", "suspended")
  gauge("flame_runners", "Runners that serve now", "ready")
  gauge("flame_booting", "Runners that boot now", "booting")
  histogram("flame_queue_ms", "Milliseconds that calls waited", (sum) => sum.queue.state)
  histogram("flame_run_ms", "Milliseconds from sending a call to its result", (sum) => sum.run.state)
  histogram("flame_boot_ms", "Milliseconds that successful boots took", (sum) => sum.boot.state)
  return { open, closed, remove: () => registrations.forEach((registration) => registration.remove()) }
}
