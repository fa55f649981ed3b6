/** Frames as the bootstrap reads and writes them: whole ones, on a connection that carries nothing else. */
import type { Duplex } from "node:stream"
import { encode, headerSize, json, type Kind } from "../../wire/Frame.ts"

/** The largest frame that a parent may send, in bytes. */
const largest = 256 * 1024

/** Writes a frame whose body is JSON. */
export const send = (socket: Duplex, kind: Kind, value: unknown): void => {
  socket.write(encode(kind, 0, json(value)))
}

/** Writes a frame whose body is a number. */
export const sendNumber = (socket: Duplex, kind: Kind, value: number): void => {
  const body = Buffer.alloc(4)
  body.writeUInt32BE(value, 0)
  socket.write(encode(kind, 0, body))
}

/**
 * Calls `take` for each frame, until `take` returns false or `ended` is called.
 *
 * Pauses the socket at the end, and puts back the bytes after the last frame.
 */
export const read = (
  socket: Duplex,
  take: (kind: number, body: Buffer) => boolean,
  ended: (why: string) => void
): void => {
  let rest: Buffer = Buffer.alloc(0)
  const stop = () => {
    socket.removeListener("data", data)
    socket.removeListener("close", closed)
    socket.pause()
  }
  const data = (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= headerSize) {
      const end = headerSize + rest.readUInt32BE(0)
      if (end > largest + headerSize) {
        stop()
        return ended(`it sent a frame of ${end} bytes`)
      }
      if (rest.length < end) return
      const frame = rest.subarray(0, end)
      rest = rest.subarray(end)
      if (!take(frame[4]!, frame.subarray(headerSize))) {
        stop()
        if (rest.length > 0) socket.unshift(rest)
        return
      }
    }
  }
  const closed = () => {
    stop()
    ended("it closed the connection")
  }
  socket.on("data", data)
  socket.once("close", closed)
  if (socket.destroyed) closed()
}
