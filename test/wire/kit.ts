/** Frames, bytes and random numbers for the tests of the wire. Reads and writes frames without code of src. */
import * as Random from "../simulation/Random.ts"

export interface Frame {
  readonly kind: number
  readonly id: number
  readonly body: Buffer
}

export const none = new Uint8Array(0)

/** A frame as bytes. `length` overrides the length in its header. */
export const frame = (kind: number, id: number, body: Uint8Array = none, length: number = body.length): Buffer => {
  const header = Buffer.alloc(9)
  header.writeUInt32BE(length, 0)
  header.writeUInt8(kind, 4)
  header.writeUInt32BE(id, 5)
  return Buffer.concat([header, body])
}

/** All frames in these bytes. Throws if the bytes end within a frame. */
export const framesOf = (bytes: Buffer): Array<Frame> => {
  const frames: Array<Frame> = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 9 + bytes.readUInt32BE(at)
    if (end > bytes.length) throw new Error(`the last frame lacks ${end - bytes.length} bytes`)
    frames.push({ kind: bytes.readUInt8(at + 4), id: bytes.readUInt32BE(at + 5), body: bytes.subarray(at + 9, end) })
    at = end
  }
  return frames
}

/** The body of an Open frame. */
export const open = (total: number, kind: number, head: Uint8Array = none): Buffer => {
  const body = Buffer.alloc(9 + head.length)
  body.writeDoubleBE(total, 0)
  body.writeUInt8(kind, 8)
  body.set(head, 9)
  return body
}

export const u32 = (value: number): Buffer => {
  const body = Buffer.alloc(4)
  body.writeUInt32BE(value, 0)
  return body
}

/** Bytes without a period, so that no two parts are equal. The same for the same seed. */
export const noise = (size: number, seed: number): Buffer => {
  const words = new Uint32Array(Math.ceil(size / 4))
  let word = (seed * 2_654_435_761) | 1
  for (let i = 0; i < words.length; i++) {
    word ^= word << 13
    word ^= word >>> 17
    word ^= word << 5
    words[i] = word
  }
  return Buffer.from(words.buffer, 0, size)
}

/** A whole number from `min` to `max`, both included. */
export const int = (random: Random.Random, min: number, max: number): number =>
  min + Math.floor(random() * (max - min + 1))

/** Cuts bytes into pieces of random sizes, often of one byte. */
export const pieces = (bytes: Buffer, random: Random.Random, largest: number): Array<Buffer> => {
  const cut: Array<Buffer> = []
  for (let at = 0; at < bytes.length;) {
    const size = random() < 0.3 ? 1 : int(random, 1, largest)
    cut.push(bytes.subarray(at, at + size))
    at += size
  }
  return cut
}

const named = (seed: number, error: unknown): Error =>
  new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })

/** Runs a check with the seeds from 1 to `count`. A failure names its seed. */
export const withSeeds = (count: number, check: (random: Random.Random, seed: number) => void): void => {
  for (let seed = 1; seed <= count; seed++) {
    try {
      check(Random.make(seed), seed)
    } catch (error) {
      throw named(seed, error)
    }
  }
}

/** `withSeeds` for checks that take turns of the event loop. */
export const withSeedsAsync = async (
  count: number,
  check: (random: Random.Random, seed: number) => Promise<void>
): Promise<void> => {
  for (let seed = 1; seed <= count; seed++) {
    try {
      await check(Random.make(seed), seed)
    } catch (error) {
      throw named(seed, error)
    }
  }
}
