/**
 * The limits of one value that crosses the wire, and the errors of a value that exceeds a limit.
 *
 * `ByteWriter` checks the limits while it encodes, and `ByteReader` while it decodes: neither side trusts the other. The
 * limits of frames are in `wire/Frame.ts`.
 */

/** Levels of arrays and objects that a value may have. The first stack overflow of a schema's own code comes far later. */
export const maxDepth = 128

/** Bytes of the largest BigInt that can cross: arithmetic on larger ones takes milliseconds. */
export const maxBigInt = 8 * 1024

/**
 * Default of `maxValue`, in bytes. A value costs the bytes of its text, and a fixed number for each of its parts. Decoding a
 * value of this cost takes about 100 ms.
 */
export const defaultMaxValue = 32 * 1024 * 1024

/** Cost of one part of a value, in bytes, for a schema whose values are read in one pass. */
export const plainUnit = 32

/** Cost of one part of a value, in bytes, where Schema decodes the part after the bytes were read. */
export const parsedUnit = 128

/** A value that fits its schema, but that no codec carries, such as a value nested too deep or a BigInt that is too large. */
export class LimitError extends Error {
  override readonly name = "LimitError"
}

/** A value that costs its receiver more than the limit of its function allows; sizes in bytes. */
export class ValueTooLarge extends Error {
  override readonly name = "ValueTooLarge"
  readonly size: number
  readonly limit: number

  constructor(size: number, limit: number) {
    super(`the value counts as at least ${size} bytes, the limit is ${limit}`)
    this.size = size
    this.limit = limit
  }
}
