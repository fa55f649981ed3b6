/**
 * Connections that have proven nothing yet: how many there may be, how long, and how much they may say.
 *
 *   accepted ──first TLS record whole──▶ handshake ──▶ authenticated (no affair of this module any more)
 */
import type { Socket } from "node:net"

/** What strangers may take of a process. Durations in milliseconds, sizes in bytes. */
export interface StrangerLimits {
  /** Connections in all, and from one address: beyond it the oldest goes, so that nobody is kept out by waiting. */
  readonly sockets: number
  readonly perAddress: number
  /** How long the first message may take, and all until the peer has proven who it is; so long its second connection too. */
  readonly helloTimeout: number
  readonly timeout: number
  /** What is read of one before its handshake. */
  readonly buffered: number
}

export const defaults: StrangerLimits = {
  sockets: 256,
  perAddress: 16,
  helloTimeout: 1_000,
  timeout: 5_000,
  buffered: 16 * 1024
}

/** Why a stranger was sent away. */
export type Dismissal = "crowded" | "silent" | "slow" | "garbage"

/** A connection of somebody who has proven nothing yet. */
export interface Stranger {
  readonly socket: Socket
  readonly address: string
  /** Whether it has begun a handshake. */
  hasSpoken: boolean
}

export interface StrangersHandlers {
  /** It has sent what looks like the beginning of a handshake, which is back in the socket. */
  readonly hello: (stranger: Stranger) => void
  readonly dismissed: (stranger: Stranger, why: Dismissal) => void
  /** Its connection ended before it had proven anything. */
  readonly left: (stranger: Stranger) => void
}

interface Entry extends Stranger {
  readonly peer: string
  timer: NodeJS.Timeout
}

export class Strangers {
  private readonly entries = new Map<string, Entry>()
  private readonly byAddress = new Map<string, Set<Entry>>()
  private readonly limits: StrangerLimits
  private readonly handlers: StrangersHandlers

  constructor(limits: StrangerLimits, handlers: StrangersHandlers) {
    this.limits = limits
    this.handlers = handlers
  }

  get size(): number {
    return this.entries.size
  }

  /** Takes a new connection in, at the cost of an older one where there are too many. */
  add(socket: Socket): void {
    // what happens to it is told by its end
    socket.on("error", () => {})
    const { remoteAddress, remotePort } = socket
    // gone before it was looked at
    if (remoteAddress === undefined || remotePort === undefined) return void socket.destroy()
    const address = addressOf(remoteAddress)
    const { helloTimeout, perAddress, sockets } = this.limits
    const neighbours = this.byAddress.get(address) ?? new Set()
    if (neighbours.size >= perAddress) this.dismissFirst(neighbours)
    else if (this.entries.size >= sockets) this.dismissFirst(this.entries.values())
    const entry: Entry = {
      socket,
      address,
      hasSpoken: false,
      peer: peerOf(remoteAddress, remotePort),
      timer: fairTimeout(helloTimeout, () => this.dismiss(entry, "silent"))
    }
    neighbours.add(entry)
    this.byAddress.set(address, neighbours)
    this.entries.set(entry.peer, entry)
    socket.once("close", () => {
      if (this.remove(entry)) this.handlers.left(entry)
    })
    this.listen(entry)
  }

  /** The stranger behind a socket that was made of its connection. */
  find(socket: Socket): Stranger | undefined {
    const { remoteAddress, remotePort } = socket
    return remoteAddress === undefined || remotePort === undefined
      ? undefined
      : this.entries.get(peerOf(remoteAddress, remotePort))
  }

  /** It has proven who it is. */
  release(stranger: Stranger): void {
    this.remove(stranger as Entry)
  }

  /** Sends all away. */
  dismissAll(): void {
    for (const entry of this.entries.values()) {
      this.remove(entry)
      entry.socket.destroy()
    }
  }

  private listen(entry: Entry): void {
    const { socket } = entry
    let bytes: Buffer = Buffer.alloc(0)
    const read = () => {
      const chunk: Buffer | null = socket.read()
      if (chunk === null) return
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
      const record = recordLength(bytes)
      if (record === undefined || Math.max(record, bytes.length) > this.limits.buffered) {
        return this.dismiss(entry, "garbage")
      }
      if (bytes.length < record) return
      socket.removeListener("readable", read)
      entry.hasSpoken = true
      clearTimeout(entry.timer)
      const { helloTimeout, timeout } = this.limits
      entry.timer = fairTimeout(timeout - helloTimeout, () => this.dismiss(entry, "slow"))
      socket.unshift(bytes)
      this.handlers.hello(entry)
    }
    socket.on("readable", read)
  }

  private dismissFirst(entries: Iterable<Entry>): void {
    for (const entry of entries) return this.dismiss(entry, "crowded")
  }

  private dismiss(entry: Entry, why: Dismissal): void {
    this.remove(entry)
    entry.socket.destroy()
    this.handlers.dismissed(entry, why)
  }

  private remove(entry: Entry): boolean {
    if (this.entries.get(entry.peer) !== entry) return false
    clearTimeout(entry.timer)
    this.entries.delete(entry.peer)
    const neighbours = this.byAddress.get(entry.address)
    if (neighbours?.delete(entry) === true && neighbours.size === 0) this.byAddress.delete(entry.address)
    return true
  }
}

const peerOf = (address: string, port: number): string => `${address} ${port}`

/** An address as people write it: IPv4 also where it came in through a socket of both families. */
export const addressOf = (address: string): string =>
  address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address

const header = 5

/** Bytes of the record that carries a ClientHello and of its header; undefined where these bytes do not begin one. */
const recordLength = (bytes: Buffer): number | undefined => {
  const isHello =
    bytes[0] === 22 && (bytes.length < 2 || bytes[1] === 3) && (bytes.length <= header || bytes[header] === 1)
  if (!isHello) return undefined
  return bytes.length < header ? header : header + bytes.readUInt16BE(3)
}

/** How late a timer may be before it counts as our own fault, in milliseconds. */
const lateness = 50

/**
 * A timeout that does not blame a peer for what a blocked event loop kept us from reading: one that comes late gives the
 * whole time once more.
 */
export const fairTimeout = (millis: number, strike: () => void): NodeJS.Timeout => {
  const due = performance.now() + millis
  let isSecond = false
  const timer = setTimeout(() => {
    if (isSecond || performance.now() - due <= lateness) return strike()
    isSecond = true
    timer.refresh()
  }, millis)
  return timer
}
