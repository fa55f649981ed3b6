/**
 * The pipe between a parent and a runner on the same machine: a socketpair, read into memory that is reused.
 *
 * By default Node allocates 64 KiB for each read, and copies the bytes if fewer arrived. For large values and streams a
 * parent spent nine tenths of its time on collecting those buffers.
 */
import type { Socket, SocketConstructorOpts } from "node:net"
import { fromDuplex, over, type Transport, type TransportHandlers } from "./Transport.ts"

type OnRead = NonNullable<SocketConstructorOpts["onread"]>

/** About the capacity of a socketpair on Linux. With less, a large value takes more reads. */
const readSize = 256 * 1024

/**
 * The buffer of all sockets, because bytes are handled before the next read. Pages that are never written cost nothing.
 */
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
 * Makes the pipe over a socket that Node has made, as `spawn` does. Must run in the turn in which the socket was made.
 * Returns the socket that is used from then on, too.
 *
 * The way a socket reads is set when it is made, and `spawn` has no option for it, so the handle moves to another
 * socket. `handle` is an old but undocumented option. Without a handle, reading is only slower.
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
