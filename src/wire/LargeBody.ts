/** What leaves in parts: a large body, from its first byte on. */
import { creditWindow } from "./Inbox.ts"

/** Something that leaves in parts, as its receiver's credit allows. */
export interface Outgoing {
  readonly part: number
  readonly id: number
  credit: number
  /** Bytes that are not sent yet. */
  readonly left: number
  /** Appends its next bytes to what is written. */
  readonly take: (size: number, into: Array<Uint8Array>) => void
}

/** A large body, which is not copied: it must not be changed until it has left. */
export class LargeBody implements Outgoing {
  credit = creditWindow
  private offset = 0
  readonly part: number
  readonly id: number
  private readonly bytes: Uint8Array

  constructor(part: number, id: number, bytes: Uint8Array) {
    this.part = part
    this.id = id
    this.bytes = bytes
  }

  get left(): number {
    return this.bytes.length - this.offset
  }

  take(size: number, into: Array<Uint8Array>): void {
    into.push(this.bytes.subarray(this.offset, this.offset + size))
    this.offset += size
  }
}
