/** Finds the changes in a registry of metrics since the last call. */
import type * as Context from "effect/Context"
import type * as Metric from "effect/Metric"
import type { Amount, MetricDelta } from "../wire/MetricDelta.ts"

/** A registry, as `effect/Metric` defines it. */
export type Registry = typeof Metric.MetricRegistry.Service

/** The largest number of series that are read. The parent keeps as many for a pool. */
export const mostSeries = 500

const amount = (value: number | bigint): Amount =>
  typeof value === "bigint" ? (Number.isSafeInteger(Number(value)) ? Number(value) : String(value)) : value

/** The change of a series. `previous` is undefined at the first call. */
const changeOf = (
  metadata: Metric.Metric.Metadata<unknown, unknown>,
  previous: unknown,
  state: unknown
): MetricDelta | undefined => {
  const { attributes, description: text, id, type } = metadata
  const series = { id, text, attributes }
  switch (type) {
    case "Counter": {
      const { count, incremental } = state as Metric.CounterState<number> | Metric.CounterState<bigint>
      const before = (previous as Metric.CounterState<number | bigint> | undefined)?.count
      if (count === before || (before === undefined && Number(count) === 0)) return undefined
      const add =
        typeof count === "bigint"
          ? count - ((before as bigint | undefined) ?? 0n)
          : count - ((before as number | undefined) ?? 0)
      return { ...series, type, add: amount(add), incremental }
    }
    case "Gauge": {
      const { value } = state as Metric.GaugeState<number | bigint>
      return value === (previous as Metric.GaugeState<number | bigint> | undefined)?.value
        ? undefined
        : { ...series, type, value: amount(value) }
    }
    case "Frequency": {
      const before = (previous as Metric.FrequencyState | undefined)?.occurrences
      const all = Array.from(
        (state as Metric.FrequencyState).occurrences,
        ([word, count]) => [word, count - (before?.get(word) ?? 0)] as const
      )
      const add = all.filter(([, count]) => count > 0)
      return add.length === 0 ? undefined : { ...series, type, add }
    }
    case "Histogram": {
      const { buckets, count, max, min, sum } = state as Metric.HistogramState
      const before = previous as Metric.HistogramState | undefined
      if (count === (before?.count ?? 0)) return undefined
      const add = buckets.map(([bound, at], index) => [bound, at - (before?.buckets[index]?.[1] ?? 0)] as const)
      return { ...series, type, add, count: count - (before?.count ?? 0), sum: sum - (before?.sum ?? 0), min, max }
    }
    case "Summary": {
      const { count, max, min, quantiles, sum } = state as Metric.SummaryState
      const before = previous as Metric.SummaryState | undefined
      if (count === (before?.count ?? 0)) return undefined
      const now = quantiles.map(([quantile, value]) => [quantile, value ?? null] as const)
      return {
        ...series,
        type,
        quantiles: now,
        count: count - (before?.count ?? 0),
        sum: sum - (before?.sum ?? 0),
        min,
        max
      }
    }
  }
}

/** Words of one change, so that the change fits a frame, and words of one interval. */
const wordsAtATime = 20
const mostWords = 1_000
/** Characters of a word. */
const longestWord = 200

type Frequency = Extract<MetricDelta, { readonly type: "Frequency" }>

/** Splits a frequency into changes of few words. Words beyond the limit are counted together. */
const inParts = (delta: Frequency): ReadonlyArray<Frequency> => {
  const words = delta.add.slice(0, mostWords).map(([word, count]) => [word.slice(0, longestWord), count] as const)
  const rest = delta.add.slice(mostWords).reduce((sum, [, count]) => sum + count, 0)
  const all = rest === 0 ? words : [...words, ["(others)", rest] as const]
  return Array.from({ length: Math.ceil(all.length / wordsAtATime) }, (_, part) => ({
    ...delta,
    add: all.slice(part * wordsAtATime, (part + 1) * wordsAtATime)
  }))
}

/** A copy of a state that does not change any more: the occurrences of a frequency are a mutable map. */
const frozen = (state: unknown): unknown =>
  typeof state === "object" && state !== null && "occurrences" in state
    ? { occurrences: new Map((state as Metric.FrequencyState).occurrences) }
    : state

export class MetricChanges {
  private readonly seen = new Map<string, unknown>()
  private readonly registry: Registry
  private readonly context: Context.Context<never>

  constructor(registry: Registry, context: Context.Context<never>) {
    this.registry = registry
    this.context = context
  }

  /** The changes since the last call. A metric whose state throws is left out. */
  take(): ReadonlyArray<MetricDelta> {
    const deltas: Array<MetricDelta> = []
    for (const [key, metadata] of this.registry) {
      if (!this.seen.has(key) && this.seen.size >= mostSeries) continue
      try {
        const state = frozen(metadata.hooks.get(this.context))
        const delta = changeOf(metadata, this.seen.get(key), state)
        this.seen.set(key, state)
        if (delta?.type === "Frequency") deltas.push(...inParts(delta))
        else if (delta !== undefined) deltas.push(delta)
      } catch {
        // A series of the app's own metric hooks, without a known state.
      }
    }
    return deltas
  }
}
