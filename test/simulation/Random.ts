/** A small seeded random generator (mulberry32), so that one number identifies a schedule. */
export type Random = () => number

export const make = (seed: number): Random => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

export const pick = <A>(items: ReadonlyArray<A>, fraction: number): A | undefined =>
  items[Math.floor(fraction * items.length)]
