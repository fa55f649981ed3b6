/**
 * The second connection of a session over a network, which carries no data.
 *
 * The connection never has unacknowledged data, so the kernel's keepalive works on it. Keepalive notices a dead peer or a
 * partition within 15 s, even while JavaScript on either side computes. On the connection with the frames, unacknowledged
 * data may delay that for minutes.
 */
import type { Socket } from "node:net"

/** Size of the token that a parent sends first, in bytes. The token is the key of the second connection, and of nothing else. */
export const tokenSize = 32

/** Idle time before the kernel probes the peer, in milliseconds. After it Node probes ten times, a second apart. */
export const keepAlive = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 5_000 } as const

/** Suffix of the identity of a second connection. */
export const suffix = "~"

/** How long a session may take to end by itself once its peer has closed the second connection, in milliseconds. */
const closingTime = 1_000

/** Ties both connections together: the loss of either ends the session. */
export const tie = (first: Socket, silent: Socket): void => {
  let error: NodeJS.ErrnoException | undefined
  const end = (why: string) => first.destroy(new Error(why))
  silent.on("error", (cause) => {
    error = cause
  })
  silent.on("data", () => end("its peer sent data on the second connection, which carries none"))
  first.once("close", () => silent.destroy())
  silent.once("close", () => {
    if (first.destroyed) return
    // The peer does not answer, so the first connection will get no answer either.
    if (error !== undefined && error.code !== "ECONNRESET") return void end(`its peer is gone (${error.code})`)
    // The peer has ended, but its last bytes may still be in transit.
    const timer = setTimeout(() => end("its peer has closed the second connection"), closingTime)
    first.once("close", () => clearTimeout(timer))
  })
  if (first.destroyed) silent.destroy()
}
