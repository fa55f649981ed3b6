/** Durations and counts as people read them, for messages. */

const units = [
  ["ms", 1],
  ["s", 1_000],
  ["min", 60_000],
  ["h", 3_600_000]
] as const

/**
 * A duration in the largest unit that fits, rounded: `250 ms`, `1.5 s`, `10 min`.
 *
 * Values below 10 keep one digit after the point. `Infinity` reads `ever`.
 */
export const spoken = (millis: number): string => {
  if (!Number.isFinite(millis)) return "ever"
  // The value is rounded before its unit is chosen. Otherwise 59.96 s would read `60 s`, and 999.7 ms `1000 ms`.
  for (const [at, [unit, size]] of units.entries()) {
    const next = units[at + 1]
    const value = millis / size
    const shown = value < 10 && unit !== "ms" ? Math.round(value * 10) / 10 : Math.round(value)
    if (next === undefined || Math.abs(shown * size) < next[1]) return `${shown} ${unit}`
  }
  return `${millis} ms`
}

/** A count with its noun: `1 runner`, `2 runners`. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`
