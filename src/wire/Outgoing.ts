/** What waits to leave of one channel's messages: bytes in order, copied together where they are few. */
import { isDetached } from "../schema/OwnBytes.ts"
import { creditWindow } from "./Inbox.ts"

/** Below this bytes are copied together; above it they are passed by reference. */
const copyLimit = 8 * 1024
const slabSize = 16 * 1024

const nothing = Buffer.alloc(0)

export class OutgoingMessages {
  /** Bytes that may be sent. */
  credit = creditWindow
  /** Bytes that wait. */
  left = 0
  /** Whether bytes were dropped because their memory was taken away. */
  isBroken = false
  readonly part: number
  readonly id: number
  private readonly sent: () => void
  private pieces: Array<Uint8Array> = []
  /** How many pieces are sent, and how many bytes of the next one. */
  private first = 0
  private offset = 0
  /** Where small bytes are copied to; what lies between `start` and `at` is the last of `pieces` while it is open. */
  private slab = nothing
  private start = 0
  private at = 0
  private isOpen = false

  /** `sent` is called when some of what waited has been handed to the connection. */
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

  /** What is copied next begins a piece of its own. */
  private sealPiece(): void {
    this.isOpen = false
    this.start = this.at
  }

  /** Appends the next bytes to what is written. */
  take(size: number, into: Array<Uint8Array>): void {
    this.left -= size
    while (size > 0) {
      const piece = this.pieces[this.first]!
      const end = Math.min(piece.length, this.offset + size)
      into.push(piece.subarray(this.offset, end))
      size -= end - this.offset
      this.offset = end
      if (end < piece.length) return
      this.first++
      this.offset = 0
    }
    if (this.first === this.pieces.length) this.clear()
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

  /** Drops what waits: bytes of it have lost their memory. */
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

/** Something that leaves in parts, as its receiver's credit allows. */
export interface Outgoing {
  readonly part: number
  readonly id: number
  credit: number
  /** Bytes that are not sent yet. */
  readonly left: number
  /** Appends its next bytes to what is written. */
  readonly take: (size: number, into: Array<Uint8Array>) => void
  /** Whether none of the next bytes has lost its memory to somebody else. */
  readonly isIntact: (size: number) => boolean
  /** Called in a turn of its own after bytes were found not to be intact; nothing more is sent. */
  readonly lost: () => void
}

/** A large body, which is not copied: it must not be changed until it has left. */
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
