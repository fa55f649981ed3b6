/**
 * Reads what `ByteWriter` wrote, from bytes that may be anything. No read goes beyond the end of the bytes, or costs more
 * than the limit.
 */
import { isUtf8 } from "node:buffer"
import { NumberTag, shortText } from "./ByteWriter.ts"
import { isShared } from "./SharedTexts.ts"
import { maxBigInt, maxDepth } from "./bound/ValueLimits.ts"

/** The error for bytes that encode no value of their schema. The message says what is wrong. */
export class Malformed extends Error {
  override readonly name = "Malformed"
}

export class ByteReader {
  private readonly bytes: Buffer
  private readonly end: number
  private at = 0
  private depth = 0
  /** Bytes that the values may still cost, counted as `ByteWriter` counts. */
  private left: number
  private readonly unit: number
  /** The texts of the message by their index, once they are shared. */
  private texts: Array<string> | undefined

  constructor(bytes: Uint8Array, limit: number, unit: number) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.end = bytes.length
    this.left = limit
    this.unit = unit
  }

  /** Refuses bytes after the value. */
  finish(): void {
    if (this.at !== this.end) throw new Malformed(`there are ${this.end - this.at} bytes after the value`)
  }

  /** Enters an array or object with that many values, before memory is allocated for any of them. */
  enter(values: number, levels = 1): void {
    // Each value takes at least one byte.
    if (values > this.end - this.at) throw truncated()
    if ((this.depth += levels) > maxDepth) throw new Malformed(`the value is nested deeper than ${maxDepth} levels`)
    this.spend((values + 1) * this.unit)
  }

  /** Counts a value that takes as long to read as `units` others. */
  charge(units: number): void {
    this.spend(units * this.unit)
  }

  leave(levels = 1): void {
    this.depth -= levels
  }

  byte(): number {
    if (this.at === this.end) throw truncated()
    return this.bytes[this.at++]!
  }

  length(): number {
    const first = this.byte()
    if (first < 0x80) return first
    let length = first & 0x7f
    for (let scale = 0x80, i = 0; i < 6; i++, scale *= 0x80) {
      const byte = this.byte()
      length += (byte & 0x7f) * scale
      if (byte < 0x80) return length
    }
    throw new Malformed("a length has more than 7 bytes")
  }

  number(): number {
    const tag = this.byte()
    if (tag < 0xf0) return tag
    switch (tag) {
      case NumberTag.u16:
        return this.bytes.readUInt16LE(this.take(2))
      case NumberTag.u32:
        return this.bytes.readUInt32LE(this.take(4))
      case NumberTag.negative:
        return -this.bytes.readUInt32LE(this.take(4))
      case NumberTag.u48:
        return this.bytes.readUIntLE(this.take(6), 6)
      case NumberTag.f64:
        return this.bytes.readDoubleLE(this.take(8))
      default:
        throw new Malformed("a number begins with an unknown byte")
    }
  }

  /** Shares the texts that come from now on. */
  share(): void {
    // Indexes begin at 1.
    this.texts ??= [""]
  }

  text(): string {
    const head = this.length()
    if (head % 2 === 1) return head === 1 ? this.kept(this.utf16()) : this.again((head - 1) / 2)
    return head === 0 ? "" : this.kept(this.utf8(head / 2))
  }

  private kept(text: string): string {
    if (this.texts !== undefined && isShared(text.length)) this.texts.push(text)
    return text
  }

  private again(index: number): string {
    const text = this.texts?.[index]
    if (text === undefined) throw new Malformed("a text repeats one that did not come")
    this.spend(text.length)
    return text
  }

  private utf8(size: number): string {
    const from = this.take(size)
    const until = from + size
    const { bytes } = this
    this.spend(size)
    if (size < shortText) {
      const text = ascii(bytes, from, until)
      if (text !== undefined) return text
    }
    this.spend(this.unit)
    const text = bytes.toString("utf8", from, until)
    // This character may also stand for bytes that are not UTF-8.
    if (text.includes("\ufffd") && !isUtf8(bytes.subarray(from, until))) throw new Malformed("text is no UTF-8")
    return text
  }

  private utf16(): string {
    const size = this.length()
    if (size % 2 === 1) throw new Malformed("text is cut in the middle of a character")
    const from = this.take(size)
    this.spend(size + this.unit)
    return this.bytes.toString("utf16le", from, from + size)
  }

  bigint(): bigint {
    const head = this.length()
    const size = Math.floor(head / 2)
    if (size === 0 || size > maxBigInt) throw new Malformed(`a BigInt has ${size} bytes`)
    // Its digits pass through text of twice their size.
    this.spend(2 * size)
    const from = this.take(size)
    const value = BigInt(`0x${this.bytes.toString("hex", from, from + size)}`)
    return head % 2 === 1 ? -value : value
  }

  /** A copy of bytes, which keeps no other memory alive. */
  raw(): Uint8Array {
    const size = this.length()
    const from = this.take(size)
    return new Uint8Array(this.bytes.subarray(from, from + size))
  }

  private spend(cost: number): void {
    this.left -= cost
    if (this.left < 0) throw new Malformed("the value is larger than the maxValue of its function")
  }

  private take(size: number): number {
    const { at } = this
    if (size > this.end - at) throw truncated()
    this.at = at + size
    return at
  }
}

const truncated = (): Malformed => new Malformed("it ends in the middle of a value")

/**
 * Reads short ASCII without a call into the engine, which costs more than the characters. Undefined if the text is not
 * ASCII.
 */
const ascii = (bytes: Buffer, from: number, until: number): string | undefined => {
  let text = ""
  let at = from
  for (; at + 4 <= until; at += 4) {
    const [a, b, c, d] = [bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!]
    if ((a | b | c | d) > 0x7f) return undefined
    text += String.fromCharCode(a, b, c, d)
  }
  for (; at < until; at++) {
    const code = bytes[at]!
    if (code > 0x7f) return undefined
    text += String.fromCharCode(code)
  }
  return text
}
