/**
 * The second connection of a session over a network, which carries nothing.
 *
 * Because nothing ever waits to be acknowledged on it, the kernel's keepalive works there, and notices a dead peer or a
 * partition within 15 s even while JavaScript on either side computes. What carries frames may wait for minutes.
 */
import type { Socket } from "node:net"

/** Size of the token that a parent sends first, in bytes. The token is the key of the second connection, and of nothing else. */
export const tokenSize = 32

/** Idle time before the kernel asks the peer, in milliseconds; after it Node asks ten times, a second apart. */
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
  silent.on("data", () => end("its peer spoke on the connection that carries nothing"))
  first.once("close", () => silent.destroy())
  silent.once("close", () => {
    if (first.destroyed) return
    // a peer that does not answer: what the first connection waits for will not come either
    if (error !== undefined && error.code !== "ECONNRESET") return void end(`its peer is gone (${error.code})`)
    // a peer that has ended: its last words may still be on their way
    const timer = setTimeout(() => end("its peer has closed the second connection"), closingTime)
    first.once("close", () => clearTimeout(timer))
  })
  if (first.destroyed) silent.destroy()
}
