/**
 * Limits connections that have proven nothing yet: their number, their time, and the bytes that they may send. The first
 * of the three gates that `Listener.ts` lists.
 *
 *   accepted ──first TLS record whole──▶ handshake ──▶ authenticated (released from here)
 *
 * An entry belongs to its socket, not to an address and a port: a peer may reset a connection and reuse its port at once.
 */
import type { Socket } from "node:net"

/** Limits for connections that have proven nothing. Durations in milliseconds, sizes in bytes. */
export interface StrangerLimits {
  /** Connections in all. Default 256. Up to twice as many exist until the end of the next turn of the event loop. */
  readonly sockets: number
  /** Connections of one neighbour: an IPv4 address, or an IPv6 network of 64 bits. Default 16. */
  readonly perNeighbour: number
  /** Time for the first TLS record. Default 1 000. */
  readonly helloTimeout: number
  /** Time until the peer has proven its key, and then once more for its second connection. Default 5 000. */
  readonly timeout: number
  /** Bytes that are read of a connection before its handshake. Default 16 KiB. */
  readonly buffered: number
}

export const defaults: StrangerLimits = {
  sockets: 256,
  perNeighbour: 16,
  helloTimeout: 1_000,
  timeout: 5_000,
  buffered: 16 * 1024
}

/** Why a connection was closed before its handshake was over. */
export type Dismissal = "crowded" | "silent" | "slow" | "garbage"

/** A connection that has proven nothing yet. */
export interface Stranger {
  readonly socket: Socket
  readonly address: string
  /** Whether its first TLS record has come. */
  hasSpoken: boolean
}

export interface StrangersHandlers {
  /** Called when the beginning of a handshake has arrived, and is back in the socket. */
  readonly hello: (stranger: Stranger) => void
  readonly dismissed: (stranger: Stranger, why: Dismissal) => void
  /** Called when the peer ended the connection before it had proven anything. */
  readonly left: (stranger: Stranger) => void
}

interface Entry extends Stranger {
  readonly neighbour: string
  timer: NodeJS.Timeout
}

export class Strangers {
  /** In the order of their arrival. */
  private readonly entries = new Map<Socket, Entry>()
  private readonly neighbours = new Map<string, Set<Entry>>()
  private readonly limits: StrangerLimits
  private readonly handlers: StrangersHandlers
  private isTrimming = false

  constructor(limits: StrangerLimits, handlers: StrangersHandlers) {
    this.limits = limits
    this.handlers = handlers
  }

  get size(): number {
    return this.entries.size
  }

  /**
   * Takes a new connection in.
   *
   * Above a limit, connections are closed two turns later, silent ones first. By then the hello of an honest peer has been
   * read. At twice the limit the new connection is closed at once instead.
   */
  add(socket: Socket): void {
    // The end of the connection follows an error, and is handled below.
    socket.on("error", () => {})
    const { remoteAddress } = socket
    // The peer has already reset the connection.
    if (remoteAddress === undefined) return void socket.destroy()
    const { helloTimeout, perNeighbour, sockets } = this.limits
    const address = addressOf(remoteAddress)
    const neighbour = neighbourOf(address)
    const entry: Entry = {
      socket,
      address,
      neighbour,
      hasSpoken: false,
      timer: fairTimeout(helloTimeout, () => this.dismiss(entry, "silent"))
    }
    const near = this.neighbours.get(neighbour) ?? new Set()
    if (this.entries.size >= 2 * sockets) {
      clearTimeout(entry.timer)
      socket.destroy()
      return this.handlers.dismissed(entry, "crowded")
    }
    near.add(entry)
    this.neighbours.set(neighbour, near)
    this.entries.set(socket, entry)
    socket.once("close", () => {
      if (this.remove(entry)) this.handlers.left(entry)
    })
    this.listen(entry)
    if (near.size > perNeighbour || this.entries.size > sockets) this.trimSoon()
  }

  /** The stranger of a socket. */
  find(socket: Socket): Stranger | undefined {
    return this.entries.get(socket)
  }

  /** Removes a stranger that has proven its key. */
  release(stranger: Stranger): void {
    this.remove(stranger as Entry)
  }

  /** Closes all connections. */
  dismissAll(): void {
    for (const entry of this.entries.values()) {
      this.remove(entry)
      entry.socket.destroy()
    }
  }

  private trimSoon(): void {
    if (this.isTrimming) return
    this.isTrimming = true
    setImmediate(() => setImmediate(() => this.trim()))
  }

  /** Closes connections until the limits hold: those of the most crowded neighbour first. */
  private trim(): void {
    this.isTrimming = false
    const { perNeighbour, sockets } = this.limits
    for (const near of this.neighbours.values()) {
      while (near.size > perNeighbour) this.dismissFirst(near)
    }
    while (this.entries.size > sockets) this.dismissFirst(this.mostCrowded())
  }

  private mostCrowded(): ReadonlySet<Entry> {
    let most: ReadonlySet<Entry> = new Set()
    for (const near of this.neighbours.values()) if (near.size > most.size) most = near
    return most
  }

  /** Closes the oldest connection that has said nothing, else the oldest. */
  private dismissFirst(near: ReadonlySet<Entry>): void {
    let first: Entry | undefined
    for (const entry of near) {
      first ??= entry
      if (entry.hasSpoken) continue
      first = entry
      break
    }
    if (first !== undefined) this.dismiss(first, "crowded")
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

  private dismiss(entry: Entry, why: Dismissal): void {
    this.remove(entry)
    entry.socket.destroy()
    this.handlers.dismissed(entry, why)
  }

  private remove(entry: Entry): boolean {
    if (!this.entries.delete(entry.socket)) return false
    clearTimeout(entry.timer)
    const near = this.neighbours.get(entry.neighbour)
    if (near?.delete(entry) === true && near.size === 0) this.neighbours.delete(entry.neighbour)
    return true
  }
}

/** An address in its usual form: an IPv4 address of a socket of both families is shown as IPv4. */
export const addressOf = (address: string): string =>
  address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address

/** The neighbour of an address: an IPv4 address, or the first 64 bits of an IPv6 address. A host may choose the rest freely. */
export const neighbourOf = (address: string): string => {
  if (!address.includes(":")) return address
  const [text = ""] = address.split("%")
  const [left = "", right] = text.split("::")
  const first = left === "" ? [] : left.split(":")
  const last = right === undefined || right === "" ? [] : right.split(":")
  // An embedded IPv4 address takes two groups.
  const groups = first.length + last.length + (text.includes(".") ? 1 : 0)
  const gap = right === undefined ? [] : Array.from({ length: Math.max(0, 8 - groups) }, () => "0")
  const network = [...first, ...gap, ...last].slice(0, 4)
  return `${network.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`
}

const header = 5

/** Bytes of a TLS record with a ClientHello, with its header. Undefined if the bytes do not begin such a record. */
const recordLength = (bytes: Buffer): number | undefined => {
  const isHello =
    bytes[0] === 22 && (bytes.length < 2 || bytes[1] === 3) && (bytes.length <= header || bytes[header] === 1)
  if (!isHello) return undefined
  return bytes.length < header ? header : header + bytes.readUInt16BE(3)
}

/** Milliseconds of delay from which a late timer means that this process was blocked. */
const lateness = 50

/**
 * A timeout that does not blame a peer for a blocked event loop. A timer that fires late waits the whole time once more,
 * because the bytes that the peer has sent meanwhile are not read yet.
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
