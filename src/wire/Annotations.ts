/**
 * Log annotations as JSON. An annotation that JSON cannot represent, or that is too large, is left out alone. Its key is
 * named in `flame.dropped`.
 */

/** The annotation that names the keys of those that were left out. */
const droppedKey = "flame.dropped"

/** Characters of the names that are kept. */
const mostNames = 200

/** As a replacer of `JSON.stringify`: text for a value that JSON would leave out or refuse. */
export const sayable = (_: string, value: unknown): unknown => {
  switch (typeof value) {
    case "bigint":
      return `${value}n`
    case "function":
    case "symbol":
      return String(value)
    case "object":
      return value instanceof Error ? (value.stack ?? String(value)) : value
    default:
      return value
  }
}

/** The annotations that fit into `limit` bytes of JSON, as values that JSON can represent. The largest are left out first. */
export const fitting = (
  annotations: Readonly<Record<string, unknown>>,
  limit: number
): Readonly<Record<string, unknown>> => {
  const fits: Array<{ readonly key: string; readonly json: string; readonly size: number }> = []
  const dropped: Array<string> = []
  for (const key of Object.keys(annotations)) {
    const json = jsonOf(annotations, key)
    if (json === undefined) dropped.push(key)
    else fits.push({ key, json, size: Buffer.byteLength(json) + Buffer.byteLength(JSON.stringify(key)) + 2 })
  }
  fits.sort((a, b) => a.size - b.size)
  let size = fits.reduce((sum, { size }) => sum + size, mostNames * 4)
  while (size > limit && fits.length > 0) {
    const largest = fits.pop()!
    size -= largest.size
    dropped.push(largest.key)
  }
  const kept: Record<string, unknown> = {}
  for (const key of Object.keys(annotations)) {
    const fit = fits.find((fit) => fit.key === key)
    if (fit !== undefined) kept[key] = JSON.parse(fit.json)
  }
  if (dropped.length > 0) kept[droppedKey] = dropped.join(", ").slice(0, mostNames)
  return kept
}

/** Undefined for a value that JSON cannot represent, such as a cyclic one, and for a property that throws. */
const jsonOf = (annotations: Readonly<Record<string, unknown>>, key: string): string | undefined => {
  try {
    return JSON.stringify(annotations[key], sayable)
  } catch {
    return undefined
  }
}
