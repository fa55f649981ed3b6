/**
 * A channel carries messages in both directions while one call lasts, between its Request and its final frame. A `Channel`
 * is one end.
 *
 * A message is any bytes, also none. Each message travels behind its length, as a varint. Frames are cut without regard to
 * messages: a million small messages cost a frame per 32 KiB, and a large message takes turns with other large bodies.
 *
 * **Order.** Messages of one direction arrive in order, all of them before a final frame that is sent after `flushed`.
 *
 * **Backpressure.** The receiver grants how many bytes the sender may be ahead, at first `creditWindow` (128 KiB), and
 * grants more when `consumed` is called. The window grows to `maxCreditWindow` (4 MiB) while the user keeps up and no
 * frames of other calls come, and shrinks otherwise. So the receiver holds at most a window and the largest message. The
 * sender learns from `send` when bytes wait on its side.
 *
 * **Violations** end the session: more bytes than were granted, a message above the limit, a malformed length.
 */
import { lengthOf } from "../schema/Varint.ts"
import { OutgoingMessages } from "./Outgoing.ts"
import { creditWindow, maxCreditWindow, unfilled } from "./Inbox.ts"
import { Kind, kindName } from "./Frame.ts"
import type { Link } from "./Link.ts"

/** The user of one end of a channel. */
export interface ChannelHandlers {
  /**
   * Takes whole messages, each behind its length, as `Varint.eachMessage` reads them. The bytes are a view that holds only
   * during the call. They count against the window until `consumed(messages.length)`.
   */
  readonly batch: (messages: Buffer) => void
  /**
   * Takes a message that came in pieces, behind its length if `keepsLength`. The bytes belong to the receiver, and count
   * until `consumed(message.length)`.
   */
  readonly large: (message: Uint8Array) => void
  /** Called when there is room again after `send` returned false. */
  readonly ready: () => void
  /** Whether `large` takes messages with their lengths. Default false. */
  readonly keepsLength?: boolean
  /** Bytes that a message may have beyond `LinkEnd.limit`, for the head around a value. Default 0. */
  readonly slack?: number
  /** Whether the window stays at 128 KiB. Default false: the window grows while the user keeps up. */
  readonly isSteady?: boolean
  /** Called when the runner has to leave, so that the user of this end may end the channel by itself before that. */
  readonly leave?: () => void
}

/** The link, the side and the call of one end. */
export interface LinkEnd {
  readonly link: Link
  readonly side: "parent" | "runner"
  readonly id: number
  /** The largest message that may arrive, in bytes. */
  readonly limit: number
}

/** Bytes that may wait for credit before `send` returns false, and the bytes at which `ready` is called. */
const highWater = 64 * 1024
const lowWater = 32 * 1024

/**
 * Larger messages do not wait for their rest in `tail`, in bytes. `tail` is copied for each piece that arrives. A peer that
 * sends one byte per frame would make the copies cost a thousand times the bytes that it sends.
 */
const tailLimit = 1024

/** Grants in a row without other frames after which the window grows. */
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
  /** The beginning of a message whose length or rest has not arrived. */
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
   * Sends messages behind their lengths, whole or in pieces. Returns false when the caller should wait for `ready`.
   *
   * More than 8 KiB are not copied and must not be changed any more. Nothing is sent after the end of the channel.
   */
  send(messages: Uint8Array): boolean {
    if (this.isDropped || this.out.isBroken) return true
    this.pushed += messages.length
    this.at.link.sendMessages(this.out, messages)
    // A full channel stays full until `ready` is called: several may send here, and some of them wait for that call.
    if (this.out.left > highWater) this.isFull = true
    return !this.isFull
  }

  /** Bytes that were sent so far. */
  get sent(): number {
    return this.pushed
  }

  /** Bytes that were sent and that the other end cannot have read yet. */
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

  /** Sends one message. Returns false when the caller should wait for `ready`. */
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

  /** Runs `f` when everything that was sent has been handed to the connection or dropped; at once if it has. */
  flushed(f: () => void): void {
    if (this.out.left === 0) f()
    else this.drainers.push(f)
  }

  /** Drops unsent bytes and sends nothing any more. The receiver may be left with a part of a message. */
  dropUnsent(): void {
    this.isDropped = true
    this.at.link.dropMessages(this.out)
    this.relieved()
  }

  /** Ends the channel: nothing is sent or granted any more. */
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

  /** Whether a message has arrived in part. */
  get isBetween(): boolean {
    return this.tail.length > 0 || this.growing !== undefined
  }

  /** Counts bytes of messages that the receiver has used. */
  consumed(bytes: number): void {
    this.held -= bytes
    this.grantMore()
  }

  /** Handles a Grant frame of this call. */
  onGrant(more: number): void {
    if (!this.isDropped) this.at.link.grantMessages(this.out, more)
  }

  /** Handles bytes of an Items frame of this call. */
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

  /** Gives the whole messages to the receiver and keeps the rest. */
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
        if (at - end > 7) return this.violate("with a malformed length")
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

  /** Sets the next window: larger while the user keeps up and no other frames come, smaller otherwise. */
  private resize(frames: number): void {
    if (this.handlers.isSteady === true) return
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
