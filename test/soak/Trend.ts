/** Whether a figure that was sampled over time stays where it is. */

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** By how much the last third lies above the middle one; the first is left to caches that fill. */
export const growth = (samples: ReadonlyArray<number>): number => {
  const third = Math.floor(samples.length / 3)
  if (third === 0) return 0
  return median(samples.slice(-third)) - median(samples.slice(third, -third))
}
