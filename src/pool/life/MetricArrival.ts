/**
 * Reads the metric changes that one runner sends. A runner is not trusted, so every field is checked and bounded.
 * `engine/RunnerSeries.ts` adds them to the registry.
 */
import { printableLine } from "../../error/PeerText.ts"
import { type Amount, type MetricDelta, metricsLimit } from "../../wire/MetricDelta.ts"
import type { RunnerSeries } from "../engine/RunnerSeries.ts"

/** Frames that are read in a second. A runner sends a few in each interval. */
const framesPerSecond = 100
/** The largest number of characters of a name, and of entries of a list. */
const mostText = 200
const mostEntries = 500
const mostAttributes = 16

export class MetricArrival {
  private readonly series: RunnerSeries
  private readonly runner: string
  private readonly now: () => number
  private second = -Infinity
  private left = 0

  constructor(series: RunnerSeries, runner: string, now: () => number) {
    this.series = series
    this.runner = runner
    this.now = now
  }

  /** Adds the changes of a frame. Returns what is wrong with the frame, or undefined. */
  take(body: Buffer): string | undefined {
    if (body.length > metricsLimit) return `a Metrics frame of ${body.length} bytes, the limit is ${metricsLimit}`
    const now = this.now()
    if (now - this.second >= 1_000) {
      this.second = now
      this.left = framesPerSecond
    }
    if (this.left-- <= 0) return undefined
    let parsed: unknown
    try {
      parsed = JSON.parse(body.toString("utf8"))
    } catch {
      return "a Metrics frame that is no JSON"
    }
    if (!Array.isArray(parsed)) return "a Metrics frame that is no list"
    for (const item of parsed) {
      // An honest function can measure a value that JSON does not have, such as NaN: only that change is dropped.
      const delta = asDelta(item)
      if (delta !== undefined) this.series.add(this.runner, delta)
    }
    return undefined
  }

  /** Forgets the runner, which is gone. */
  end(): void {
    this.series.gone(this.runner)
  }
}

const isNumber = (u: unknown): u is number => typeof u === "number" && Number.isFinite(u)
const isCount = (u: unknown): u is number => Number.isSafeInteger(u) && (u as number) >= 0
const isText = (u: unknown): u is string => typeof u === "string"
const isAmount = (u: unknown): u is Amount => isNumber(u) || (isText(u) && /^-?\d{1,100}$/.test(u))
const isRecord = (u: unknown): u is Readonly<Record<string, unknown>> =>
  typeof u === "object" && u !== null && !Array.isArray(u)

const isList = <A, B>(
  u: unknown,
  first: (u: unknown) => u is A,
  second: (u: unknown) => u is B
): u is ReadonlyArray<readonly [A, B]> =>
  Array.isArray(u) &&
  u.length <= mostEntries &&
  u.every((pair) => Array.isArray(pair) && pair.length === 2 && first(pair[0]) && second(pair[1]))

/** The bounds of a histogram. The last one may be infinite, as Effect's own boundaries are: JSON has null for it. */
const asBounds = (u: unknown): ReadonlyArray<readonly [number, number]> | undefined => {
  if (!isList(u, isValueOrNone, isCount)) return undefined
  const last = u.length - 1
  const bounds = u.map(([bound, count], index) => [bound ?? (index === last ? Infinity : NaN), count] as const)
  return bounds.some(([bound]) => Number.isNaN(bound)) ? undefined : bounds
}

const isValueOrNone = (u: unknown): u is number | null => u === null || isNumber(u)

const asDelta = (u: unknown): MetricDelta | undefined => {
  if (!isRecord(u) || !isText(u["id"])) return undefined
  const { attributes, text } = u
  if (text !== undefined && !isText(text)) return undefined
  if (attributes !== undefined && !isRecord(attributes)) return undefined
  const pairs = Object.entries(attributes ?? {}).slice(0, mostAttributes)
  const series = {
    id: printableLine(u["id"], mostText),
    text: text === undefined ? undefined : printableLine(text, mostText * 5),
    attributes: Object.fromEntries(
      pairs.flatMap(([key, value]) => {
        const name = printableLine(key, mostText)
        // Compared after the cleaning, which may have uncovered the name.
        return isText(value) && name !== "__proto__" ? [[name, printableLine(value, mostText)] as const] : []
      })
    )
  }
  switch (u["type"]) {
    case "Counter": {
      const { add, incremental } = u
      return isAmount(add) && typeof incremental === "boolean"
        ? { ...series, type: "Counter", add, incremental }
        : undefined
    }
    case "Gauge":
      return isAmount(u["value"]) ? { ...series, type: "Gauge", value: u["value"] } : undefined
    case "Frequency": {
      const { add } = u
      if (!isList(add, isText, isCount)) return undefined
      return {
        ...series,
        type: "Frequency",
        add: add.map(([word, count]) => [printableLine(word, mostText), count] as const)
      }
    }
    case "Histogram": {
      const { count, max, min, sum } = u
      const add = asBounds(u["add"])
      if (add === undefined || !isCount(count) || ![sum, min, max].every(isNumber)) return undefined
      return { ...series, type: "Histogram", add, count, sum: sum as number, min: min as number, max: max as number }
    }
    case "Summary": {
      const { count, max, min, quantiles, sum } = u
      if (!isList(quantiles, isNumber, isValueOrNone) || !isCount(count) || ![sum, min, max].every(isNumber))
        return undefined
      return {
        ...series,
        type: "Summary",
        quantiles,
        count,
        sum: sum as number,
        min: min as number,
        max: max as number
      }
    }
    default:
      return undefined
  }
}
