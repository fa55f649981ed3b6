/**
 * The frames of the wire: `u32 length | u8 kind | u32 id | body`, big-endian, length of the body only.
 *
 * A call is one Request and exactly one final frame of the same id. A call that a function makes is one Nested in the other
 * direction, and also has exactly one final frame. Bodies above `inlineLimit` travel as one Open frame and Parts, paced by
 * Credits, so that a large value does not delay small calls. Between the Request of a channel and its final frame messages
 * go both ways in Items frames, paced by Grants.
 */
import type { BootFailure } from "../error/BootFailure.ts"

/** Version of everything in this folder and of the handshake; two sides of different versions refuse each other. */
export const protocol = 5

/** Bytes before the body. */
export const headerSize = 9

/** Larger bodies travel in parts. In bytes. */
export const inlineLimit = 32 * 1024

/** The body of one Part, in bytes. A small frame waits behind few of them. */
export const partSize = 32 * 1024

/** The largest body of any frame, in bytes. A larger length ends the session before anything is allocated. */
export const frameLimit = 256 * 1024

/** Kinds of frames. Kinds of bodies that come in parts are even for what a caller sends and odd for what comes back. */
export const Kind = {
  /** Runner to parent, JSON: identity of the runner, and the functions that it serves. */
  Hello: 1,
  /** Parent to runner, JSON: the runner is accepted, with the limits of the session. */
  Welcome: 2,
  /** Parent to runner, JSON `BootFailure`: the runner is refused, and why. */
  Refuse: 3,
  /** Runner to parent, JSON `BootFailure`: the runner cannot serve, and why. */
  Fail: 4,
  /** Runner to parent, JSON, before Hello: asks for the code of a hash. */
  AskCode: 5,
  /** Parent to runner, JSON: the size of that code, as it is and as it travels. */
  CodeHead: 6,
  /** Parent to runner: the next bytes of the code. */
  CodePart: 7,
  /** Runner to parent, u32: that many more bytes of the code may come. */
  CodeCredit: 8,
  /** Runner to parent: the code has arrived and has the right hash. Hello or Fail comes next. */
  CodeKept: 9,
  Request: 16,
  /** Asks for the final frame of a call soon; the final frame is its acknowledgement. */
  Cancel: 17,
  /** Final: the encoded success. */
  Success: 24,
  /** Final: the encoded typed error. */
  Failure: 25,
  /** Final, JSON: the defect with which the function died. */
  Defect: 26,
  /** Final: stopped because it was cancelled; its finalizers have run. */
  Interrupted: 27,
  /** Final, JSON: the call did not run, and why; or its result may not be sent. */
  Refused: 28,
  Ping: 32,
  Pong: 33,
  /** Parent to runner, u32 milliseconds: take no new calls, end the present ones within that time, then leave. */
  Drain: 34,
  /** Runner to parent: takes no new calls. */
  Draining: 35,
  /** Runner to parent: the last frame. */
  Bye: 36,
  /** f64 total, u8 kind, head: a large body of that kind begins. */
  OpenRequest: 48,
  OpenResponse: 49,
  PartRequest: 50,
  PartResponse: 51,
  /** u32: credit for that many more bytes of a large body. */
  CreditRequest: 52,
  CreditResponse: 53,
  /** Bytes of the messages of a channel, cut anywhere: each message is a varint length and as many bytes. */
  ItemsRequest: 54,
  ItemsResponse: 55,
  /** u32: credit for that many more bytes of messages. */
  GrantRequest: 56,
  GrantResponse: 57,
  /**
   * Runner to parent: a function calls another one. Its id is the runner's own, and finals of that id come back: a Defect
   * with the name of its runner in front, Refused with a FlameError as JSON. Its parts and items are those of a Request.
   */
  Nested: 64,
  /**
   * Runner to parent: asks for the final frame of a nested call soon. A body of one byte means that the
   * function needs no more: it takes no more items of a stream, or the Scope of a placed service has closed.
   */
  NestedCancel: 65,
  /** Runner to parent, JSON: lines of its log. */
  Logs: 96,
  /** Runner to parent, f64 milliseconds: the run time of the call's function. The final frame of the call is next. */
  Ran: 97,
  /** Runner to parent, JSON: changes of its metrics. */
  Metrics: 98
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Names of the kinds, for log lines. */
export const kindName = (kind: number): string =>
  Object.entries(Kind).find(([, value]) => value === kind)?.[0] ?? `unknown kind ${kind}`

/** Whether a frame of this kind ends a call. */
export const isFinal = (kind: number): boolean => kind >= Kind.Success && kind <= Kind.Refused

/** Whether a frame of this kind carries messages of a channel. */
export const isItems = (kind: number): boolean => kind === Kind.ItemsRequest || kind === Kind.ItemsResponse

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

/** Encodes a whole frame, for frames that are written outside a Link. */
export const encode = (kind: Kind, id: number, body: Uint8Array): Buffer => {
  const frame = Buffer.allocUnsafe(headerSize + body.length)
  frame.writeUInt32BE(body.length, 0)
  frame[4] = kind
  frame.writeUInt32BE(id, 5)
  frame.set(body, headerSize)
  return frame
}

/** Encodes a JSON body, for the handshake and rare frames. */
export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** The whole Fail frame of a process that cannot be a runner, for a synchronous write. */
export const fail = (cause: BootFailure): Buffer => encode(Kind.Fail, 0, json({ ...cause }))
