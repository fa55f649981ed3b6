/** Bytes that wait to be sent in parts: the messages of a channel, or a large body. */
import { isDetached } from "../schema/OwnBytes.ts"
import { creditWindow } from "./Inbox.ts"

/** Bytes up to which messages are copied together into a slab. Larger messages are passed by reference. */
export const copyLimit = 8 * 1024
const slabSize = 16 * 1024

/** Sent pieces that are kept at most, beside half of all pieces: dropping them one by one would move the others each time. */
const keptPieces = 16

const nothing = Buffer.alloc(0)

export class OutgoingMessages {
  /** Bytes for which there is credit. */
  credit = creditWindow
  /** Bytes that wait. */
  left = 0
  /** Whether bytes were dropped because their memory was detached. */
  isBroken = false
  readonly part: number
  readonly id: number
  private readonly sent: () => void
  private pieces: Array<Uint8Array> = []
  /** The first piece that is not sent completely, and the number of its bytes that are sent. */
  private first = 0
  private offset = 0
  /** The slab for small bytes. Its bytes from `start` to `at` are the last of `pieces` while that is open. */
  private slab = nothing
  private start = 0
  private at = 0
  private isOpen = false

  /** `sent` is called when waiting bytes have been handed to the connection. */
  constructor(part: number, id: number, sent: () => void) {
    this.part = part
    this.id = id
    this.sent = sent
  }

  push(bytes: Uint8Array): void {
    this.left += bytes.length
    if (bytes.length > copyLimit) {
      this.sealPiece()
      this.pieces.push(bytes)
      return
    }
    if (this.slab.length - this.at < bytes.length) {
      this.slab = Buffer.allocUnsafeSlow(slabSize)
      this.at = 0
      this.sealPiece()
    }
    this.slab.set(bytes, this.at)
    this.at += bytes.length
    if (this.isOpen) this.pieces.pop()
    this.pieces.push(this.slab.subarray(this.start, this.at))
    this.isOpen = true
  }

  /** Ends the open piece: bytes that are copied next begin a new piece. */
  private sealPiece(): void {
    this.isOpen = false
    this.start = this.at
  }

  /** Appends the next bytes to `into`. */
  take(size: number, into: Array<Uint8Array>): void {
    this.left -= size
    while (size > 0) {
      const piece = this.pieces[this.first]!
      const end = Math.min(piece.length, this.offset + size)
      into.push(piece.subarray(this.offset, end))
      size -= end - this.offset
      this.offset = end
      if (end < piece.length) break
      this.first++
      this.offset = 0
    }
    if (this.first === this.pieces.length) this.clear()
    else if (this.first >= keptPieces && this.first * 2 >= this.pieces.length) {
      // A queue that is never empty would otherwise keep all that it has sent.
      this.pieces.splice(0, this.first)
      this.first = 0
    }
  }

  isIntact(size: number): boolean {
    let ahead = this.offset + size
    for (let i = this.first; i < this.pieces.length && ahead > 0; i++) {
      const piece = this.pieces[i]!
      if (isDetached(piece)) return false
      ahead -= piece.length
    }
    return true
  }

  /** Drops the waiting bytes, because some of them were detached. */
  lost(): void {
    this.isBroken = true
    this.clear()
    this.sent()
  }

  clear(): void {
    this.left = 0
    this.pieces = []
    this.first = 0
    this.offset = 0
    this.sealPiece()
  }

  relieved(): void {
    this.sent()
  }
}

/** A body that leaves in parts, as the credit of its receiver allows. */
export interface Outgoing {
  readonly part: number
  readonly id: number
  credit: number
  /** Bytes that are not sent yet. */
  readonly left: number
  /** Appends the next bytes to `into`. */
  readonly take: (size: number, into: Array<Uint8Array>) => void
  /** Whether none of the next bytes was detached. */
  readonly isIntact: (size: number) => boolean
  /** Called in a turn of its own when bytes were found detached. Nothing more is sent. */
  readonly lost: () => void
}

/** A large body. Its bytes are not copied, and must not be changed until they are sent. */
export class LargeBody implements Outgoing {
  credit = creditWindow
  private offset = 0
  readonly part: number
  readonly id: number
  readonly lost: () => void
  private readonly bytes: Uint8Array
  private readonly size: number

  constructor(part: number, id: number, bytes: Uint8Array, lost: () => void) {
    this.part = part
    this.id = id
    this.bytes = bytes
    this.size = bytes.length
    this.lost = lost
  }

  get left(): number {
    return this.size - this.offset
  }

  isIntact(): boolean {
    return this.bytes.length === this.size
  }

  take(size: number, into: Array<Uint8Array>): void {
    into.push(this.bytes.subarray(this.offset, this.offset + size))
    this.offset += size
  }
}
