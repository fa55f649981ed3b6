/** Trend of a figure that is sampled over time. */

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** Growth of the last third over the middle third. Caches may fill during the first third. */
export const growth = (samples: ReadonlyArray<number>): number => {
  const third = Math.floor(samples.length / 3)
  if (third === 0) return 0
  return median(samples.slice(-third)) - median(samples.slice(third, -third))
}
