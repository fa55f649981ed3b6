/**
 * The pipe between a parent and a runner on the same machine: a socketpair, read into memory that is used again.
 *
 * By default Node allocates 64 KiB for each read, and copies what came of it if that is less. Of large values and streams
 * nine tenths of a parent's time went into collecting those buffers.
 */
import type { Socket, SocketConstructorOpts } from "node:net"
import { fromDuplex, over, type Transport, type TransportHandlers } from "./Transport.ts"

type OnRead = NonNullable<SocketConstructorOpts["onread"]>

/** About what a socketpair holds on Linux: with less a large value takes more reads. */
const readSize = 256 * 1024

/** The buffer of all sockets: bytes are handled before the next read. Pages that are never read into cost nothing. */
let shared: Buffer | undefined

/** The pipe over a socket that `open` makes, which must read in the given way. Nothing is read before its start. */
export const fromSocket = (open: (onread: OnRead) => Socket): Transport => {
  let take: TransportHandlers["data"] | undefined
  const buffer = (shared ??= Buffer.allocUnsafeSlow(readSize))
  const socket = open({
    buffer,
    callback: (length) => {
      take?.(buffer.subarray(0, length))
      return true
    }
  })
  socket.pause()
  return over(socket, (data) => {
    take = data
    socket.resume()
  })
}

/**
 * The pipe over a socket that Node has made, as `spawn` does, in the turn in which it was made; with the socket that it
 * goes by from then on.
 *
 * How a socket reads is said when it is made, and `spawn` does not ask: its handle gets another socket. `handle` is no
 * documented option, though an old one; where there is none, reading is just slower.
 */
export const adopt = (
  Socket: new (options: SocketConstructorOpts) => Socket,
  socket: Socket & { _handle?: object | null }
): readonly [Transport, Socket] => {
  const handle = socket._handle
  if (typeof handle !== "object" || handle === null || !("useUserBuffer" in handle)) return [fromDuplex(socket), socket]
  socket._handle = null
  let adopted = socket as Socket
  const transport = fromSocket((onread) => (adopted = new Socket({ handle, onread } as object)))
  return [transport, adopted]
}
