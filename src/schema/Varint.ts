/** Reads and writes messages in a row, each with its length before it: seven bits a byte, the lowest first. */

/** Bytes of the longest length that is written. */
export const maxPrefix = 7

/** Writes a length, and returns the offset after it. */
export const writeLength = (into: Uint8Array, at: number, length: number): number => {
  while (length >= 0x80) {
    into[at++] = (length % 0x80) | 0x80
    length = Math.floor(length / 0x80)
  }
  into[at++] = length
  return at
}

/** Encodes the length of a message. */
export const lengthOf = (length: number): Uint8Array => {
  const bytes = new Uint8Array(maxPrefix)
  return bytes.subarray(0, writeLength(bytes, 0, length))
}

/** Calls `f` with a view of each message. */
export const eachMessage = (messages: Uint8Array, f: (message: Uint8Array) => void): void =>
  eachSpan(messages, (_, from, end) => f(messages.subarray(from, end)))

/** Calls `f` with three offsets of each message: of its length, of its first byte, and of its end. */
export const eachSpan = (messages: Uint8Array, f: (begin: number, from: number, end: number) => void): void => {
  let at = 0
  while (at < messages.length) {
    const begin = at
    let length = 0
    let scale = 1
    let byte = 0x80
    while (byte >= 0x80) {
      byte = messages[at++]!
      length += (byte & 0x7f) * scale
      scale *= 0x80
    }
    f(begin, at, at + length)
    at += length
  }
}
