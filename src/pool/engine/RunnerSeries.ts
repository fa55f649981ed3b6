/**
 * The metrics that functions raise on the runners of a pool, in the registry of the parent with a label `pool`.
 *
 * Runners are added up. A gauge has the value that a runner sent last; quantiles of a summary are averages over its runners,
 * weighted by their counts. A series stays when its runners are gone, because a counter must not decrease.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Amount, MetricDelta } from "../../wire/MetricDelta.ts"

/** The largest number of series of one pool. Further series are dropped, and a warning says so. */
export const mostSeries = 500
/** The largest number of words of a frequency. Further words share the word `(others)`. */
export const mostWords = 500
/** The largest number of runners whose quantiles a summary remembers. */
const mostRunners = 100

/**
 * Adds without rounding: numbers as numbers, and as bigint if one side is a bigint. Refuses an add whose sum is not
 * finite: one runner could otherwise spoil a series that all runners share.
 */
const plus = (a: number | bigint, b: Amount): number | bigint => {
  if (typeof a === "number" && typeof b === "number") return Number.isFinite(a + b) ? a + b : a
  const [left, right] = [whole(a), whole(b)]
  return left === undefined || right === undefined ? a : left + right
}

/** The integer part of an amount, or undefined if the amount is no finite number. */
const whole = (value: number | bigint | string): bigint | undefined => {
  if (typeof value === "number") return Number.isFinite(value) ? BigInt(Math.trunc(value)) : undefined
  return typeof value === "bigint" || /^-?\d+$/.test(value) ? BigInt(value) : undefined
}

const read = (amount: Amount): number | bigint => (typeof amount === "string" ? BigInt(amount) : amount)

type Delta<Type extends MetricDelta["type"]> = Extract<MetricDelta, { readonly type: Type }>

/** A series of the registry. */
interface Series {
  readonly state: () => unknown
  readonly add: (runner: string, delta: MetricDelta) => void
  readonly gone: (runner: string) => void
}

const none = () => {}

const counter = (incremental: boolean): Series => {
  let count: number | bigint = 0
  return {
    state: () => ({ count, incremental }),
    add: (_, delta) => {
      const { add } = delta as Delta<"Counter">
      if (!incremental || Number(add) >= 0) count = plus(count, add)
    },
    gone: none
  }
}

const gauge = (): Series => {
  let value: number | bigint = 0
  return {
    state: () => ({ value }),
    add: (_, delta) => {
      value = read((delta as Delta<"Gauge">).value)
    },
    gone: none
  }
}

const frequency = (): Series => {
  const occurrences = new Map<string, number>()
  return {
    state: () => ({ occurrences }),
    add: (_, delta) => {
      for (const [word, count] of (delta as Delta<"Frequency">).add) {
        const key = occurrences.has(word) || occurrences.size < mostWords ? word : "(others)"
        occurrences.set(key, (occurrences.get(key) ?? 0) + count)
      }
    },
    gone: none
  }
}

/** Count, sum, minimum and maximum of a histogram or a summary. */
class Spread {
  count = 0
  sum = 0
  min = Infinity
  max = -Infinity

  /** Adds a change, or refuses the whole change if the sum would not be finite. */
  add(delta: Delta<"Histogram"> | Delta<"Summary">): boolean {
    if (!Number.isFinite(this.sum + delta.sum)) return false
    this.count += delta.count
    this.sum += delta.sum
    this.min = Math.min(this.min, delta.min)
    this.max = Math.max(this.max, delta.max)
    return true
  }
}

const histogram = (bounds: ReadonlyArray<number>): Series => {
  const counts = bounds.map(() => 0)
  const spread = new Spread()
  return {
    state: () => ({ buckets: bounds.map((bound, index) => [bound, counts[index]]), ...spread }),
    add: (_, delta) => {
      const { add } = delta as Delta<"Histogram">
      // Another version of the app may have other bounds, which cannot be added.
      if (add.length !== bounds.length || add.some(([bound], index) => bound !== bounds[index])) return
      if (!spread.add(delta as Delta<"Histogram">)) return
      add.forEach(([, count], index) => (counts[index]! += count))
    },
    gone: none
  }
}

const summary = (): Series => {
  const spread = new Spread()
  const latest = new Map<string, { readonly count: number; readonly quantiles: Delta<"Summary">["quantiles"] }>()
  let last: Delta<"Summary">["quantiles"] = []
  const quantiles = () => {
    const all = [...latest.values()]
    return last.map(([quantile], index) => {
      const known = all.flatMap(({ count, quantiles }) => {
        const value = quantiles[index]?.[1]
        return typeof value === "number" ? [{ count, value }] : []
      })
      const weight = known.reduce((total, { count }) => total + count, 0)
      return [
        quantile,
        weight === 0 ? undefined : known.reduce((total, { count, value }) => total + value * (count / weight), 0)
      ]
    })
  }
  return {
    state: () => ({ quantiles: quantiles(), ...spread }),
    add: (runner, delta) => {
      const { count, quantiles } = delta as Delta<"Summary">
      if (!spread.add(delta as Delta<"Summary">)) return
      last = quantiles
      latest.delete(runner)
      latest.set(runner, { count, quantiles })
      if (latest.size > mostRunners) for (const oldest of latest.keys()) return void latest.delete(oldest)
    },
    // The quantiles of the last runner stay, because its pool may have no other.
    gone: (runner) => void (latest.size > 1 && latest.delete(runner))
  }
}

const make = (delta: MetricDelta): Series => {
  switch (delta.type) {
    case "Counter":
      return counter(delta.incremental)
    case "Gauge":
      return gauge()
    case "Frequency":
      return frequency()
    case "Histogram":
      return histogram(delta.add.map(([bound]) => bound))
    case "Summary":
      return summary()
  }
}

/**
 * Whether exporters write a name as one of the pool's own, which begin with `flame_`. Prometheus exporters replace other
 * characters by `_` and collapse runs of it, and an app's mapper may turn `flameWaiting` into `flame_waiting`. A histogram
 * `flame` becomes `flame_count`.
 */
const isReserved = (id: string): boolean => {
  const words = id
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replace(/[\W_]+/g, "_")
    .replace(/^_/, "")
    .toLowerCase()
  return words === "flame" || words.startsWith("flame_")
}

/** The metric under whose key a series is stored in the registry. */
const metricOf = (delta: MetricDelta, pool: string): Metric.Metric<never, unknown> => {
  const attributes = { ...delta.attributes, pool }
  const options = { description: delta.text, attributes }
  switch (delta.type) {
    case "Counter":
      return Metric.counter(delta.id, { ...options, incremental: delta.incremental })
    case "Gauge":
      return Metric.gauge(delta.id, options)
    case "Frequency":
      return Metric.frequency(delta.id, options)
    case "Histogram":
      return Metric.histogram(delta.id, { ...options, boundaries: delta.add.map(([bound]) => bound) })
    case "Summary": {
      const quantiles = delta.quantiles.map(([quantile]) => quantile)
      return Metric.summary(delta.id, { ...options, quantiles, maxAge: 0, maxSize: 0 })
    }
  }
}

/** By registry, then by pool, because pools of one id share their series. */
const registries = new WeakMap<object, Map<string, Map<string, Series>>>()

export class RunnerSeries {
  private readonly pool: string
  private readonly context: Context.Context<never>
  private readonly all: Map<string, Series>
  private hasWarned = false

  constructor(pool: string, context: Context.Context<never>) {
    this.pool = pool
    this.context = context
    const registry = Context.get(context, Metric.MetricRegistry)
    const pools = registries.get(registry) ?? new Map<string, Map<string, Series>>()
    registries.set(registry, pools)
    const key = JSON.stringify([pool, Context.get(context, Metric.CurrentMetricAttributes)])
    this.all = pools.get(key) ?? new Map<string, Series>()
    pools.set(key, this.all)
  }

  /**
   * Adds a change. Names that exporters write with `flame_` at their beginning belong to the pool's own metrics, so such
   * series of a runner are dropped.
   */
  add(runner: string, delta: MetricDelta): void {
    const attributes = Object.entries(delta.attributes ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const key = JSON.stringify([delta.type, delta.id, delta.text, attributes])
    const series = this.all.get(key) ?? this.begin(key, delta)
    series?.add(runner, delta)
  }

  gone(runner: string): void {
    for (const series of this.all.values()) series.gone(runner)
  }

  private begin(key: string, delta: MetricDelta): Series | undefined {
    if (isReserved(delta.id)) return undefined
    if (this.all.size >= mostSeries) {
      this.warn()
      return undefined
    }
    const series = make(delta)
    this.all.set(key, series)
    Metric.registerUnsafe(metricOf(delta, this.pool), this.context, { get: series.state, update: none, modify: none })
    return series
  }

  private warn(): void {
    if (this.hasWarned) return
    this.hasWarned = true
    const text = `functions of pool ${this.pool} raise more than ${mostSeries} series of metrics, and the others are dropped: give their metrics fewer attributes`
    Effect.runForkWith(this.context)(Effect.logWarning(text))
  }
}
