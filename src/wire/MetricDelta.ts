/**
 * Changes of metrics on the wire, since the runner's last Metrics frame.
 *
 * A Metrics frame is a JSON array of changes. Counts are differences, so that the parent can add up the runners of a
 * pool. Integers above 2^53 are strings.
 */

/** The largest Metrics frame, and so the largest change, in bytes. */
export const metricsLimit = 16 * 1024

/** The series that changed: type, id, description, attributes. */
interface Series {
  readonly id: string
  readonly text?: string | undefined
  readonly attributes?: Readonly<Record<string, string>> | undefined
}

/** A number, or a bigint as text. */
export type Amount = number | string

export type MetricDelta = Series &
  (
    | { readonly type: "Counter"; readonly add: Amount; readonly incremental: boolean }
    | { readonly type: "Gauge"; readonly value: Amount }
    | { readonly type: "Frequency"; readonly add: ReadonlyArray<readonly [word: string, count: number]> }
    | {
        readonly type: "Histogram"
        /** Upper bounds, and the number of values up to each bound. The last bound may be Infinity, in JSON null. */
        readonly add: ReadonlyArray<readonly [bound: number, count: number]>
        readonly count: number
        readonly sum: number
        readonly min: number
        readonly max: number
      }
    | {
        readonly type: "Summary"
        readonly quantiles: ReadonlyArray<readonly [quantile: number, value: number | null]>
        readonly count: number
        readonly sum: number
        readonly min: number
        readonly max: number
      }
  )

/** Packs changes into the bodies of frames. A change that is larger than a frame is left out. */
export const frames = (deltas: ReadonlyArray<MetricDelta>): ReadonlyArray<Buffer> => {
  const bodies: Array<Buffer> = []
  let texts: Array<string> = []
  let bytes = 2
  const end = () => {
    if (texts.length > 0) bodies.push(Buffer.from(`[${texts.join(",")}]`))
    texts = []
    bytes = 2
  }
  for (const delta of deltas) {
    const text = JSON.stringify(delta)
    const size = Buffer.byteLength(text) + 1
    if (size + 2 > metricsLimit) continue
    if (bytes + size > metricsLimit) end()
    texts.push(text)
    bytes += size
  }
  end()
  return bodies
}
