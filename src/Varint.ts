/** Messages in a row, each with its length before it: seven bits a byte, the lowest first. */

/** Bytes of the longest length that is written. */
export const maxPrefix = 7

/** Writes a length and gives where it ends. */
export const writeLength = (into: Uint8Array, at: number, length: number): number => {
  while (length >= 0x80) {
    into[at++] = (length % 0x80) | 0x80
    length = Math.floor(length / 0x80)
  }
  into[at++] = length
  return at
}

/** A length as it stands before a message. */
export const lengthOf = (length: number): Uint8Array => {
  const bytes = new Uint8Array(maxPrefix)
  return bytes.subarray(0, writeLength(bytes, 0, length))
}

/** Calls `f` with each of the messages, as views of their bytes; with the length before them if `keepsLength`. */
export const eachMessage = (messages: Uint8Array, f: (message: Uint8Array) => void, keepsLength = false): void => {
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
    f(messages.subarray(keepsLength ? begin : at, at + length))
    at += length
  }
}
