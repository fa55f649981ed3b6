/**
 * One end of a channel: messages both ways for as long as one call lasts, between its Request and its final frame.
 *
 * A message is any bytes, also none. On the way each has its length before it, as a varint, and they are cut into frames
 * without regard to where one ends: a million small ones cost a frame per 32 KiB, and a large one takes turns with what
 * else is under way, as a large body does.
 *
 * **Order.** Messages of one direction arrive in order, all of them before the final frame that is sent after `flushed`.
 *
 * **Back-pressure.** The sender may be as many bytes ahead as the receiver grants, at first `creditWindow` (128 KiB). The
 * receiver grants more as `consumed` tells it that messages have been used. Its window grows to `maxCreditWindow` (4 MiB)
 * while its user keeps up and no frames of other calls come beside, and shrinks again otherwise. So it holds at most a
 * window and the largest message; what the sender holds beyond that is told by `send`.
 *
 * **Violations** end the session: more than was granted, a message above the limit, a length that is none.
 */
import { lengthOf } from "../schema/Varint.ts"
import { OutgoingMessages } from "./Outgoing.ts"
import { creditWindow, maxCreditWindow, unfilled } from "./Inbox.ts"
import { Kind, kindName } from "./Frame.ts"
import type { Link } from "./Link.ts"

/** Who uses an end of a channel. */
export interface ChannelHandlers {
  /**
   * Whole messages, each with its length before it, as `Varint.eachMessage` reads them. The bytes are a view that holds only during the
   * call. They count against the window until `consumed(messages.length)`.
   */
  readonly batch: (messages: Buffer) => void
  /**
   * One message that came in pieces, with its length before it if `keepsLength`. It is the receiver's own, and counts
   * until `consumed(message.length)`.
   */
  readonly large: (message: Uint8Array) => void
  /** There is room again after `send` gave false. */
  readonly ready: () => void
  /** Whether `large` wants messages with their length before them. Default false. */
  readonly keepsLength?: boolean
  /** Bytes that a message may have beyond the limit of its place, for what is around a value. Default 0. */
  readonly slack?: number
  /** Told where the runner will have to go, but has time until then. */
  readonly leave?: () => void
}

/** Which end this is, on which link, for which call. */
export interface LinkEnd {
  readonly link: Link
  readonly side: "parent" | "runner"
  readonly id: number
  /** The largest message that may come, in bytes. */
  readonly limit: number
}

/** Bytes that may wait here for credit before `send` asks to wait, and how few there must be to go on. */
const highWater = 64 * 1024
const lowWater = 32 * 1024

/**
 * Messages above this do not wait for their rest in a buffer of the channel, which is copied for each piece that comes: a
 * peer that sends a byte in a frame could make that cost a thousand times what it sends.
 */
const tailLimit = 1024

/** How often in a row nothing else may have come before the window grows. */
const lonelyGrants = 4

const nothing = Buffer.alloc(0)

interface Growing {
  readonly bytes: Uint8Array
  filled: number
}

export class Channel {
  private readonly at: LinkEnd
  private readonly handlers: ChannelHandlers
  private readonly out: OutgoingMessages
  private isEnded = false
  private isDropped = false
  private isFull = false
  private drainers: Array<() => void> = []
  /** The begin of a message whose length or rest has not come. */
  private tail: Buffer = nothing
  private growing: Growing | undefined
  private received = 0
  private granted = creditWindow
  /** Bytes of whole messages that are not consumed yet. */
  private held = 0
  private window = creditWindow
  private seen: number
  private lonely = 0
  /** Bytes that were given to `send` so far. */
  private pushed = 0

  constructor(at: LinkEnd, handlers: ChannelHandlers) {
    this.at = at
    this.handlers = handlers
    this.seen = at.link.smallFrames
    this.out = new OutgoingMessages(at.side === "parent" ? Kind.ItemsRequest : Kind.ItemsResponse, at.id, () =>
      this.relieved()
    )
  }

  /**
   * Sends messages that have their lengths before them already, whole or not; false when it should wait for `ready`.
   *
   * Bytes above 8 KiB are not copied: they must not be changed any more. After the end nothing is sent.
   */
  send(messages: Uint8Array): boolean {
    if (this.isDropped || this.out.isBroken) return true
    this.pushed += messages.length
    this.at.link.sendMessages(this.out, messages)
    this.isFull = this.out.left > highWater
    return !this.isFull
  }

  /** Bytes that were sent so far, and those of them that the other end cannot have read yet. */
  get sent(): number {
    return this.pushed
  }

  get unsent(): number {
    return this.out.left
  }

  /** Runs `f` after the other events that are due now. */
  later(f: () => void): void {
    this.at.link.later(f)
  }

  /** Whether there is room for more. */
  get isReady(): boolean {
    return !this.isFull
  }

  /** Sends one message; false when it should wait for `ready`. */
  sendMessage(message: Uint8Array): boolean {
    if (message.length > 4 * 1024) {
      this.send(lengthOf(message.length))
      return this.send(message)
    }
    const length = lengthOf(message.length)
    const whole = Buffer.allocUnsafe(length.length + message.length)
    whole.set(length, 0)
    whole.set(message, length.length)
    return this.send(whole)
  }

  /** Runs `f` once all that was sent is handed to the connection, or dropped; at once when it is. */
  flushed(f: () => void): void {
    if (this.out.left === 0) f()
    else this.drainers.push(f)
  }

  /** Drops what is unsent and sends nothing any more: its receiver may be left with a part of a message. */
  dropUnsent(): void {
    this.isDropped = true
    this.at.link.dropMessages(this.out)
    this.relieved()
  }

  /** The call is over: nothing is sent or granted any more. */
  endChannel(): void {
    this.isEnded = true
    this.dropUnsent()
  }

  /** Whether the memory of bytes that were sent was detached before they had left. */
  get isBroken(): boolean {
    return this.out.isBroken
  }

  /** Whether messages that were sent may have been dropped. */
  get dropped(): boolean {
    return this.isDropped
  }

  /** Whether a message has come in part. */
  get isBetween(): boolean {
    return this.tail.length > 0 || this.growing !== undefined
  }

  /** The receiver has used messages of so many bytes. */
  consumed(bytes: number): void {
    this.held -= bytes
    this.grantMore()
  }

  /** A Grant frame of this call has come. */
  onGrant(more: number): void {
    if (!this.isDropped) this.at.link.grantMessages(this.out, more)
  }

  /** Bytes of an Items frame of this call have come. */
  onItems(bytes: Buffer): void {
    this.received += bytes.length
    if (this.received > this.granted) return this.violate("beyond their credit")
    if (this.growing !== undefined) bytes = this.grow(this.growing, bytes)
    if (this.tail.length > 0 && bytes.length > 0) {
      bytes = Buffer.concat([this.tail, bytes])
      this.tail = nothing
    }
    if (bytes.length > 0) this.cut(bytes)
    this.grantMore()
  }

  private grow(growing: Growing, bytes: Buffer): Buffer {
    const n = Math.min(growing.bytes.length - growing.filled, bytes.length)
    growing.bytes.set(n === bytes.length ? bytes : bytes.subarray(0, n), growing.filled)
    growing.filled += n
    if (growing.filled === growing.bytes.length) {
      this.growing = undefined
      this.held += growing.bytes.length
      this.handlers.large(growing.bytes)
    }
    return bytes.subarray(n)
  }

  /** Gives the whole messages in these bytes to their receiver and keeps the rest. */
  private cut(bytes: Buffer): void {
    const { limit } = this.at
    let end = 0
    while (end < bytes.length) {
      let at = end
      let length = 0
      let scale = 1
      let byte = 0x80
      while (byte >= 0x80 && at < bytes.length) {
        byte = bytes[at++]!
        length += (byte & 0x7f) * scale
        scale *= 128
        if (at - end > 7) return this.violate("with a length that is none")
      }
      if (byte >= 0x80) break
      if (length > limit + (this.handlers.slack ?? 0))
        return this.violate(`with a message of ${length} bytes, the limit is ${limit}`)
      if (at + length > bytes.length) {
        if (length > tailLimit) {
          this.deliver(bytes, end)
          return this.begin(bytes.subarray(this.handlers.keepsLength === true ? end : at), at - end, length)
        }
        break
      }
      end = at + length
    }
    if (end < bytes.length) this.tail = Buffer.from(bytes.subarray(end))
    this.deliver(bytes, end)
  }

  private deliver(bytes: Buffer, end: number): void {
    if (end === 0) return
    this.held += end
    this.handlers.batch(end === bytes.length ? bytes : bytes.subarray(0, end))
  }

  private begin(bytes: Buffer, prefix: number, length: number): void {
    const size = this.handlers.keepsLength === true ? prefix + length : length
    const whole = unfilled(size)
    whole.set(bytes, 0)
    this.growing = { bytes: whole, filled: bytes.length }
  }

  private grantMore(): void {
    if (this.isEnded) return
    const more = this.received + this.window - this.held - this.granted
    if (more * 2 < this.window) return
    const { link, side, id } = this.at
    this.granted += more
    const body = Buffer.allocUnsafe(4)
    body.writeUInt32BE(more, 0)
    link.control(side === "parent" ? Kind.GrantResponse : Kind.GrantRequest, id, body)
    this.resize(link.smallFrames)
  }

  /** The next window: larger while its user waits for more and nothing has come beside, smaller while neither is so. */
  private resize(frames: number): void {
    if (this.seen !== frames) {
      this.seen = frames
      this.lonely = 0
      this.window = creditWindow
    } else if (this.held > this.window / 4) {
      this.lonely = 0
      this.window = Math.max(creditWindow, this.window / 2)
    } else if (++this.lonely > lonelyGrants) this.window = Math.min(maxCreditWindow, this.window * 2)
  }

  private relieved(): void {
    if (this.isFull && this.out.left <= lowWater) {
      this.isFull = false
      this.handlers.ready()
    }
    if (this.out.left > 0 || this.drainers.length === 0) return
    const drainers = this.drainers
    this.drainers = []
    for (const drainer of drainers) drainer()
  }

  private violate(what: string): void {
    const kind = this.at.side === "parent" ? Kind.ItemsResponse : Kind.ItemsRequest
    this.at.link.violate(`${kindName(kind)} frames of call ${this.at.id} ${what}`)
  }
}
