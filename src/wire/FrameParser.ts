/** Cuts the bytes of a connection into frames. `Frame.ts` has the layout of a frame and its kinds. */
import { frameLimit, headerSize, Kind, kindName } from "./Frame.ts"

/** Whether the bytes of such a frame are passed on as they arrive, before the whole frame is there. */
const isPart = (kind: number): boolean =>
  kind === Kind.PartRequest || kind === Kind.PartResponse || kind === Kind.ItemsRequest || kind === Kind.ItemsResponse

/**
 * The receiver of parsed frames. `part` gets the bytes of Parts and Items as they arrive. All bytes are views that hold only
 * during the call.
 */
export interface ParserHandlers {
  readonly frame: (kind: number, id: number, body: Buffer) => void
  readonly part: (kind: number, id: number, bytes: Buffer) => void
  readonly violation: (detail: string) => void
}

const none = Buffer.alloc(0)

/** Size of the buffer that is kept for incomplete frames, in bytes. A larger buffer is released after its frame. */
const heldSize = 4 * 1024

/**
 * Cuts a stream of bytes into frames, and holds at most one incomplete frame.
 *
 * The parser keeps no pushed bytes: a socket reads the next bytes into the same memory.
 */
export class Parser {
  /** The beginning of a frame whose rest has not arrived: `have` bytes of `need`. */
  private held = none
  private have = 0
  private need = headerSize
  private partLeft = 0
  private partKind = 0
  private partId = 0
  private broken = false
  private paused = false
  /** Bytes that arrived while the parser was paused. */
  private rest: Buffer = none
  /** The kept bytes that `resume` parses right now. */
  private resumed: Buffer = none
  private readonly handlers: ParserHandlers

  constructor(handlers: ParserHandlers) {
    this.handlers = handlers
  }

  push(bytes: Uint8Array): void {
    if (this.broken) return
    const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (this.paused) {
      // From a transport that cannot be paused.
      this.rest = Buffer.concat([this.rest, chunk])
      return
    }
    let at = 0
    if (this.partLeft > 0) at = this.takePart(chunk, at)
    if (this.have > 0) at = this.complete(chunk, at)
    while (at < chunk.length && !this.broken) {
      if (this.paused) {
        // Bytes that were kept before belong to the parser already.
        this.rest = bytes === this.resumed ? chunk.subarray(at) : Buffer.from(chunk.subarray(at))
        return
      }
      at = this.cut(chunk, at)
    }
  }

  /** Calls no handler from now on, and keeps arriving bytes until `resume`. */
  pause(): void {
    this.paused = true
  }

  /** Parses the kept bytes. Returns false if a handler has paused the parser again. */
  resume(): boolean {
    this.paused = false
    const { rest } = this
    this.rest = none
    this.resumed = rest
    if (rest.length > 0) this.push(rest)
    this.resumed = none
    return !this.paused
  }

  get isPaused(): boolean {
    return this.paused
  }

  /** Whether the stream may end here. */
  get isAtBoundary(): boolean {
    return this.have === 0 && this.partLeft === 0 && this.rest.length === 0
  }

  /** Takes the next frame, or its beginning. Returns where it ends. */
  private cut(chunk: Buffer, at: number): number {
    const rest = chunk.length - at
    if (rest < headerSize) return this.hold(chunk, at, headerSize)
    const length = chunk.readUInt32BE(at)
    const kind = chunk[at + 4]!
    if (length > frameLimit) return this.tooLong(kind, length)
    const id = chunk.readUInt32BE(at + 5)
    const body = at + headerSize
    if (isPart(kind)) {
      this.beginPart(kind, id, length)
      return this.takePart(chunk, body)
    }
    const end = body + length
    if (end > chunk.length) return this.hold(chunk, at, headerSize + length)
    this.handlers.frame(kind, id, chunk.subarray(body, end))
    return end
  }

  /** Keeps the beginning of a frame that needs so many bytes, as far as its length is known. */
  private hold(chunk: Buffer, at: number, need: number): number {
    this.need = need
    this.reserve(need)
    this.have = chunk.copy(this.held, 0, at)
    return chunk.length
  }

  private reserve(size: number): void {
    if (this.held.length >= size) return
    const held = Buffer.allocUnsafeSlow(Math.max(size, heldSize))
    this.held.copy(held, 0, 0, this.have)
    this.held = held
  }

  /** Takes the rest of the frame whose beginning is held. */
  private complete(chunk: Buffer, at: number): number {
    at = this.fill(chunk, at)
    if (this.have < headerSize) return at
    const length = this.held.readUInt32BE(0)
    const kind = this.held[4]!
    const id = this.held.readUInt32BE(5)
    if (length > frameLimit) return this.tooLong(kind, length)
    if (isPart(kind)) {
      this.have = 0
      this.beginPart(kind, id, length)
      return this.takePart(chunk, at)
    }
    this.need = headerSize + length
    this.reserve(this.need)
    at = this.fill(chunk, at)
    if (this.have < this.need) return at
    const whole = this.held
    if (whole.length > heldSize) this.held = none
    this.have = 0
    this.handlers.frame(kind, id, whole.subarray(headerSize, this.need))
    return at
  }

  private fill(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.need - this.have)
    this.have += chunk.copy(this.held, this.have, at, end)
    return end
  }

  private beginPart(kind: number, id: number, length: number): void {
    this.partKind = kind
    this.partId = id
    this.partLeft = length
  }

  private takePart(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.partLeft)
    this.partLeft -= end - at
    this.handlers.part(this.partKind, this.partId, chunk.subarray(at, end))
    return end
  }

  private tooLong(kind: number, length: number): number {
    this.stop()
    this.handlers.violation(`${kindName(kind)} frame of ${length} bytes, the limit is ${frameLimit}`)
    return 0
  }

  /** Drops everything that arrives from now on. */
  stop(): void {
    this.broken = true
    this.held = none
    this.rest = none
    this.have = 0
    this.partLeft = 0
  }
}
