/**
 * Limits the cost of building maps and sets, and of checking that values are unique.
 *
 * Values of one hash are compared with each other, and a peer can choose values of one hash: n of them cost the square of n.
 * Effect hashes as `Hash` does. V8 hashes the numbers and BigInts of a `Map` or `Set` without a seed.
 */
import * as Hash from "effect/Hash"
import { spendWork } from "./ValueWork.ts"

const tooAlike = "has too many keys or unique values of one hash for its maxValue"
const tooMany = "has too many keys or unique values for its maxValue"

/** Steps of work that it takes to put one key into a collection, whatever its hash is. Measured, and doubled. */
const perHashed = 16
const perNative = 10

/** Counts the comparisons of values in a `HashMap` or `HashSet`. Throws a `LimitError` before any is made. */
export const spendHashed = (values: ReadonlyArray<unknown>): void => {
  spendWork(values.length * perHashed, tooMany)
  const sizes = values.map(sizeOf)
  const hashes = Float64Array.from(values, Hash.hash)
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => hashes[a]! - hashes[b]!)
  let steps = 0
  for (let i = 1, alike = 0; i < order.length; i++) {
    alike = hashes[order[i]!] === hashes[order[i - 1]!] ? alike + 1 : 0
    steps += alike * sizes[order[i]!]!
  }
  spendWork(steps, tooAlike)
}

/** Counts the comparisons of `Array.dedupe`, which keeps the hashes themselves as keys of a `Map`. */
export const spendUnique = (iterable: Iterable<unknown>): void => {
  const values = [...iterable]
  spendHashed(values)
  spendNative(values.map(Hash.hash))
}

/** How many keys in a chain of its hash table V8 compares in one step of work: numbers, and BigInts. */
const numbersPerStep = 10
const bigIntsPerStep = 2

/** Counts the comparisons of keys in a native `Map` or `Set`. Text has a hash with a seed, and objects a random one. */
export const spendNative = (keys: ReadonlyArray<unknown>): void => {
  spendWork(keys.length * perNative, tooMany)
  // a table of V8 has at least half as many chains as entries
  const chains = new Uint32Array(2 ** Math.max(1, Math.ceil(Math.log2(keys.length + 1)) - 1))
  const mask = chains.length - 1
  let steps = 0
  for (const key of keys) {
    const isNumber = typeof key === "number"
    if (!isNumber && typeof key !== "bigint") continue
    const chain = (isNumber ? hashOfNumber(key) : hashOfBigInt(key)) & mask
    steps += chains[chain]! / (isNumber ? numbersPerStep : bigIntsPerStep)
    chains[chain]!++
  }
  spendWork(steps, tooAlike)
}

/** Steps that comparing a value with another one may take. The time of hashing a BigInt is counted here, at once. */
const sizeOf = (value: unknown): number => {
  switch (typeof value) {
    case "string":
      return 1 + value.length / 64
    case "bigint": {
      const bits = value.toString(16).length * 4
      // hashed by its decimal text, which takes time by the square of its length
      spendWork(
        (bits / 256) ** 2,
        "has large BigInts as keys or unique values, whose hashes take too long for its maxValue"
      )
      return 1 + bits / 256
    }
    case "object": {
      if (value === null) return 1
      if (ArrayBuffer.isView(value)) return 1 + value.byteLength / 64
      let size = 6
      if (Symbol.iterator in value) for (const part of value as Iterable<unknown>) size += sizeOf(part)
      else for (const part of Object.values(value)) size += sizeOf(part)
      return size
    }
    default:
      return 1
  }
}

/** As `ComputeUnseededHash` of V8. */
const hashOfInt = (int: number): number => {
  let hash = int | 0
  hash = (~hash + (hash << 15)) | 0
  hash ^= hash >>> 12
  hash = (hash + (hash << 2)) | 0
  hash ^= hash >>> 4
  hash = Math.imul(hash, 2057)
  return hash ^ (hash >>> 16)
}

const bits = new DataView(new ArrayBuffer(8))

const hashOfNumber = (number: number): number => {
  if ((number | 0) === number) return hashOfInt(number)
  bits.setFloat64(0, number)
  return hashOfLong(bits.getUint32(0), bits.getUint32(4))
}

/** V8 hashes the lowest 64 bits of a BigInt. */
const hashOfBigInt = (bigint: bigint): number => {
  bits.setBigUint64(0, BigInt.asUintN(64, bigint < 0n ? -bigint : bigint))
  return hashOfLong(bits.getUint32(0), bits.getUint32(4))
}

/** As `ComputeLongHash` of V8, in halves of 32 bits. */
const hashOfLong = (high: number, low: number): number => {
  const hash = [high | 0, low | 0] as [number, number]
  const [h, l] = hash
  add(hash, ~h, ~l, (h << 18) | (l >>> 14), l << 18)
  shiftIn(hash, 31)
  const [h2, l2] = hash
  // times 21
  add(hash, h2, l2, (h2 << 2) | (l2 >>> 30), l2 << 2)
  add(hash, hash[0], hash[1], (h2 << 4) | (l2 >>> 28), l2 << 4)
  shiftIn(hash, 11)
  const [h3, l3] = hash
  add(hash, h3, l3, (h3 << 6) | (l3 >>> 26), l3 << 6)
  shiftIn(hash, 22)
  return hash[1]
}

const add = (into: [number, number], h1: number, l1: number, h2: number, l2: number): void => {
  const low = (l1 >>> 0) + (l2 >>> 0)
  into[0] = (h1 + h2 + (low > 0xffff_ffff ? 1 : 0)) | 0
  into[1] = low | 0
}

const shiftIn = (hash: [number, number], by: number): void => {
  const [h, l] = hash
  hash[0] = h ^ (h >>> by)
  hash[1] = l ^ ((l >>> by) | (h << (32 - by)))
}
