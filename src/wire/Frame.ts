/**
 * The frames of the wire: `u32 length | u8 kind | u32 id | body`, big-endian, length of the body only.
 *
 * A call is one Request and exactly one final frame of the same id; a call that a function makes is one Nested the other
 * way, likewise. Bodies above `inlineLimit` travel as one Open frame and Parts, paced by Credits, so that a large value
 * never stands in the way of a small call. Between the Request of a channel and its final frame messages go both ways in
 * Items frames, paced by Grants.
 */
import type { BootFailure } from "../BootFailure.ts"

/** Version of everything in this folder and of the handshake; two sides of different versions refuse each other. */
export const protocol = 2

/** Bytes before the body. */
export const headerSize = 9

/** Bodies up to this size travel in one frame, in bytes. */
export const inlineLimit = 32 * 1024

/** The body of one Part, in bytes: what a small frame may have to wait behind. */
export const partSize = 32 * 1024

/** No frame's body is larger, in bytes; a peer that announces more is cut off before anything is allocated. */
export const frameLimit = 256 * 1024

/** Kinds of frames. Kinds of bodies that come in parts are even for what a caller sends and odd for what comes back. */
export const Kind = {
  /** Runner to parent, JSON: who I am, what I serve. */
  Hello: 1,
  /** Parent to runner, JSON: you are in, these are the limits. */
  Welcome: 2,
  /** Parent to runner, JSON `BootFailure`: you cannot serve me, and why. */
  Refuse: 3,
  /** Runner to parent, JSON `BootFailure`: I cannot serve, and why. */
  Fail: 4,
  Request: 16,
  /** Asks for the final frame of a call soon; the final frame is its acknowledgement. */
  Cancel: 17,
  /** Final: the encoded success. */
  Success: 24,
  /** Final: the encoded typed error. */
  Failure: 25,
  /** Final: JSON of what the function died with. */
  Defect: 26,
  /** Final: stopped because it was cancelled; its finalizers have run. */
  Interrupted: 27,
  /** Final, JSON: it did not run, and why; or its result may not be sent. */
  Refused: 28,
  Ping: 32,
  Pong: 33,
  /** Parent to runner, u32 milliseconds: take nothing new, end your calls within that, then leave. */
  Drain: 34,
  /** Runner to parent: I take nothing new. */
  Draining: 35,
  /** Runner to parent: my last frame. */
  Bye: 36,
  /** f64 total, u8 kind, head: a large body of that kind begins. */
  OpenRequest: 48,
  OpenResponse: 49,
  PartRequest: 50,
  PartResponse: 51,
  /** u32: that many more bytes of your large body may come. */
  CreditRequest: 52,
  CreditResponse: 53,
  /** Bytes of the messages of a channel, cut anywhere: each message is a varint length and as many bytes. */
  ItemsRequest: 54,
  ItemsResponse: 55,
  /** u32: that many more bytes of your messages may come. */
  GrantRequest: 56,
  GrantResponse: 57,
  /**
   * Runner to parent: a function calls another one. Its id is the runner's own, and finals of that id come back: a Defect
   * with the name of its runner in front, Refused with a FlameError as JSON. Its parts are those of a Request.
   */
  Nested: 64,
  /** Runner to parent: asks for the final frame of a nested call soon. */
  NestedCancel: 65,
  /** Runner to parent, JSON: lines of its log. */
  Logs: 96,
  /** Runner to parent, f64 milliseconds: so long the function of that call has run; its final frame is next. */
  Ran: 97
} as const
export type Kind = (typeof Kind)[keyof typeof Kind]

/** Names of the kinds, for log lines. */
export const kindName = (kind: number): string =>
  Object.entries(Kind).find(([, value]) => value === kind)?.[0] ?? `unknown kind ${kind}`

/** Whether a frame of this kind ends a call. */
export const isFinal = (kind: number): boolean => kind >= Kind.Success && kind <= Kind.Refused

/** Whether a frame of this kind carries messages of a channel. */
export const isItems = (kind: number): boolean => kind === Kind.ItemsRequest || kind === Kind.ItemsResponse

const isPart = (kind: number): boolean => kind === Kind.PartRequest || kind === Kind.PartResponse || isItems(kind)

/**
 * What a parser finds. `part` gets the bytes of Parts and Items as they come; what arrives is a view that holds until the
 * next push.
 */
export interface ParserHandlers {
  readonly frame: (kind: number, id: number, body: Buffer) => void
  readonly part: (kind: number, id: number, bytes: Buffer) => void
  readonly violation: (detail: string) => void
}

const none = Buffer.alloc(0)

/** Cuts a stream of bytes into frames; keeps at most one incomplete frame. */
export class Parser {
  private chunks: Array<Buffer> = []
  private have = 0
  private need = headerSize
  private partLeft = 0
  private partKind = 0
  private partId = 0
  private broken = false
  private readonly handlers: ParserHandlers

  constructor(handlers: ParserHandlers) {
    this.handlers = handlers
  }

  push(bytes: Uint8Array): void {
    if (this.broken) return
    let chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (this.partLeft > 0) chunk = this.takePart(chunk)
    if (this.have > 0) {
      this.chunks.push(chunk)
      this.have += chunk.length
      if (this.have < this.need) return
      chunk = Buffer.concat(this.chunks, this.have)
      this.chunks = []
      this.have = 0
    }
    const rest = this.cut(chunk)
    if (rest.length > 0) {
      this.chunks = [rest]
      this.have = rest.length
    }
  }

  /** Whether the stream may end here. */
  get isAtBoundary(): boolean {
    return this.have === 0 && this.partLeft === 0
  }

  private takePart(chunk: Buffer): Buffer {
    const n = Math.min(this.partLeft, chunk.length)
    this.partLeft -= n
    this.handlers.part(this.partKind, this.partId, n === chunk.length ? chunk : chunk.subarray(0, n))
    return this.broken ? none : chunk.subarray(n)
  }

  private cut(chunk: Buffer): Buffer {
    let at = 0
    this.need = headerSize
    while (chunk.length - at >= headerSize) {
      const length = chunk.readUInt32BE(at)
      const kind = chunk[at + 4]!
      const id = chunk.readUInt32BE(at + 5)
      if (length > frameLimit) {
        this.stop()
        this.handlers.violation(`${kindName(kind)} frame of ${length} bytes, the limit is ${frameLimit}`)
        return none
      }
      if (isPart(kind)) {
        this.partKind = kind
        this.partId = id
        this.partLeft = length
        const rest = this.takePart(chunk.subarray(at + headerSize))
        if (this.partLeft > 0 || this.broken) return none
        chunk = rest
        at = 0
        continue
      }
      const end = at + headerSize + length
      if (chunk.length < end) {
        this.need = end - at
        break
      }
      this.handlers.frame(kind, id, chunk.subarray(at + headerSize, end))
      if (this.broken) return none
      at = end
    }
    return at === chunk.length ? none : chunk.subarray(at)
  }

  /** Takes nothing more: whatever comes now is dropped. */
  stop(): void {
    this.broken = true
    this.chunks = []
    this.have = 0
    this.partLeft = 0
  }
}

/** A whole frame as bytes, for the few that are written outside a Link. */
export const encode = (kind: Kind, id: number, body: Uint8Array): Buffer => {
  const frame = Buffer.allocUnsafe(headerSize + body.length)
  frame.writeUInt32BE(body.length, 0)
  frame[4] = kind
  frame.writeUInt32BE(id, 5)
  frame.set(body, headerSize)
  return frame
}

/** JSON bodies: the handshake and what is rare. */
export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** The frame by which a process that cannot be a runner says so, whole, for a synchronous write. */
export const fail = (cause: BootFailure): Buffer => encode(Kind.Fail, 0, json({ ...cause }))
