/**
 * Writes the primitives of an encoded value into a slab that many messages share.
 *
 * A finished message is a view of the slab, and nobody overwrites it. Each primitive takes at least one byte, so that
 * the length of a message bounds how many values it can hold.
 */
import { isShared, SentTexts } from "./SharedTexts.ts"
import { LimitError, maxBigInt, maxDepth, ValueTooLarge } from "./bound/ValueLimits.ts"
import { writeLength } from "./Varint.ts"

/** How a number is written: one byte for 0 to 239, else one of these and the number after it. */
export const NumberTag = { u16: 0xf0, u32: 0xf1, negative: 0xf2, u48: 0xf3, f64: 0xf4 } as const

/** Bytes of the shortest text that a reader decodes with a call into the engine, also if it is ASCII. */
export const shortText = 24

const slabSize = 64 * 1024
const spare = 1024

export class ByteWriter {
  bytes: Buffer = Buffer.allocUnsafeSlow(slabSize)
  at = 0
  private start = 0
  private depth = 0
  /** Bytes that reading the values so far costs: their text, and `unit` for each value. */
  private cost = 0
  private unit = 0
  private limit = 0
  private readonly texts = new SentTexts()
  /** Whether a text that comes again is written as an index. */
  private isSharing = false
  isBusy = false

  /** Begins a message that may cost `limit` bytes, where each value costs `unit` bytes besides its text. */
  begin(limit: number, unit: number): void {
    this.isBusy = true
    this.depth = 0
    this.cost = 0
    this.limit = limit
    this.unit = unit
  }

  /** Ends the message, and gives its bytes. */
  end(): Uint8Array {
    const { at, bytes, start } = this
    this.isBusy = false
    if (this.isSharing) this.forgetTexts()
    const message = new Uint8Array(bytes.buffer, bytes.byteOffset + start, at - start)
    // A large slab must not outlive its message.
    if (bytes.length - at < spare || bytes.length > slabSize) this.bytes = Buffer.allocUnsafeSlow(slabSize)
    this.start = this.at = this.bytes === bytes ? at : 0
    return message
  }

  /** Drops the message. */
  abort(): void {
    if (!this.isBusy) return
    this.isBusy = false
    if (this.isSharing) this.forgetTexts()
    if (this.bytes.length > slabSize) this.bytes = Buffer.allocUnsafeSlow(slabSize)
    if (this.bytes.length !== slabSize || this.start > this.at) this.start = 0
    this.at = this.start
  }

  private forgetTexts(): void {
    this.isSharing = false
    this.texts.clear()
  }

  /** Shares texts from now on. A message with a single row has few texts to share. */
  share(): void {
    this.isSharing = true
  }

  /** Enters an array or object with that many values. */
  enter(values: number, levels = 1): void {
    if ((this.depth += levels) > maxDepth) throw new LimitError(`is nested deeper than ${maxDepth} levels`)
    this.spend((values + 1) * this.unit)
  }

  /** Counts a value that takes its receiver as long as `units` others. */
  charge(units: number): void {
    this.spend(units * this.unit)
  }

  leave(levels = 1): void {
    this.depth -= levels
  }

  byte(byte: number): void {
    if (this.at === this.bytes.length) this.grow(1)
    this.bytes[this.at++] = byte
  }

  length(length: number): void {
    this.room(7)
    this.at = writeLength(this.bytes, this.at, length)
  }

  number(value: number): void {
    this.room(9)
    const { bytes } = this
    let at = this.at
    if (value >= 0 && value < 0xf0 && Number.isInteger(value) && (value !== 0 || 1 / value > 0)) {
      bytes[at++] = value
    } else if (!Number.isInteger(value) || value === 0 || value > 0xffff_ffff_ffff || value < -0xffff_ffff) {
      bytes[at++] = NumberTag.f64
      bytes.writeDoubleLE(value, at)
      at += 8
    } else if (value < 0) {
      bytes[at++] = NumberTag.negative
      at = writeU32(bytes, at, -value)
    } else if (value < 0x1_0000) {
      bytes[at++] = NumberTag.u16
      bytes[at++] = value
      bytes[at++] = value >>> 8
    } else if (value < 0x1_0000_0000) {
      bytes[at++] = NumberTag.u32
      at = writeU32(bytes, at, value)
    } else {
      bytes[at++] = NumberTag.u48
      at = writeU32(bytes, at, value)
      const high = Math.floor(value / 0x1_0000_0000)
      bytes[at++] = high
      bytes[at++] = high >>> 8
    }
    this.at = at
  }

  /**
   * Text as UTF-8 after twice its size, or as UTF-16 after a 1 where it has half of a surrogate pair, which UTF-8 cannot
   * hold. A text that comes again is twice its index, plus 1. Each time costs its receiver the whole text: the app may
   * copy it.
   */
  text(text: string): void {
    const { length } = text
    this.spend(length)
    if (this.isSharing && isShared(length)) {
      const index = this.texts.indexOf(text)
      if (index > 0) return this.length(index * 2 + 1)
    }
    if (length < 64 && this.ascii(text)) {
      // A reader decodes other text with a call into the engine, which takes as long as a part of a value.
      if (length >= shortText) this.spend(this.unit)
      return
    }
    this.spend(this.unit)
    if (!text.isWellFormed()) {
      this.spend(length)
      this.byte(1)
      this.length(length * 2)
      this.room(length * 2)
      this.at += this.bytes.write(text, this.at, length * 2, "utf16le")
      return
    }
    this.room(length * 3 + 7)
    const { at, bytes } = this
    const guess = lengthSize(length * 2)
    const size = bytes.write(text, at + guess, length * 3, "utf8")
    this.spend(size - length)
    const prefix = lengthSize(size * 2)
    if (prefix !== guess) bytes.copyWithin(at + prefix, at + guess, at + guess + size)
    writeLength(bytes, at, size * 2)
    this.at = at + prefix + size
  }

  private ascii(text: string): boolean {
    const { length } = text
    this.room(length + 1)
    const { bytes } = this
    let at = this.at
    bytes[at++] = length * 2
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[at++] = code
    }
    this.at = at
    return true
  }

  bigint(value: bigint): void {
    const hex = (value < 0n ? -value : value).toString(16)
    const size = (hex.length + 1) >> 1
    if (size > maxBigInt) throw new LimitError(`is a BigInt of more than ${maxBigInt * 8} bits`)
    this.spend(2 * size)
    this.length(size * 2 + (value < 0n ? 1 : 0))
    this.room(size)
    this.at += this.bytes.write(hex.length % 2 === 0 ? hex : `0${hex}`, this.at, size, "hex")
  }

  /** Bytes, copied. They cost nothing: a receiver copies gigabytes in a second. */
  raw(bytes: Uint8Array): void {
    const { length } = bytes
    this.length(length)
    this.room(length)
    this.bytes.set(bytes, this.at)
    this.at += length
  }

  private room(size: number): void {
    if (this.bytes.length - this.at < size) this.grow(size)
  }

  private grow(size: number): void {
    const written = this.at - this.start
    const needed = written + size
    const larger = Buffer.allocUnsafeSlow(needed <= slabSize ? slabSize : Math.max(needed, 2 * written))
    larger.set(this.bytes.subarray(this.start, this.at))
    this.bytes = larger
    this.start = 0
    this.at = written
  }

  private spend(cost: number): void {
    this.cost += cost
    if (this.cost > this.limit) throw new ValueTooLarge(this.cost, this.limit)
  }
}

const writeU32 = (bytes: Buffer, at: number, value: number): number => {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
  return at + 4
}

const lengthSize = (length: number): number => {
  let size = 1
  while (length >= 0x80) {
    size++
    length = Math.floor(length / 0x80)
  }
  return size
}
