/**
 * The receiving side of a Link for large bodies: puts their parts together, and grants their senders credit. `Outbox.ts` is
 * the sending side. `Channel.ts` grants the messages of streams and services by the same window.
 */
import { inlineLimit, isFinal, Kind, kindName } from "./Frame.ts"

/**
 * The smallest window of a large body: bytes that its sender may have in flight before the receiver grants more. Every body
 * begins with it. A small frame beside the body resets the window to it, because small frames wait behind these bytes.
 */
export const creditWindow = 128 * 1024

/** The largest window of a large body, in bytes. A window of this size keeps a connection with a long round trip busy. */
export const maxCreditWindow = 4 * 1024 * 1024

/** Grants in a row without a small frame between them. Each further one doubles the window, up to `maxCreditWindow`. */
const lonelyGrants = 8

/**
 * Bytes of credit that all incomplete bodies of one peer may have beyond their first windows. Above that only the oldest
 * body of each direction gets more. So a peer that completes no body cannot make this end hold much more than that.
 */
export const mostIncomplete = 64 * 1024 * 1024

/**
 * Memory for bytes that arrive later. The memory is not zeroed, so nothing may be read before all bytes have arrived. Its
 * pages are committed only when bytes arrive, so that a peer that announces a false length costs nothing.
 */
export const unfilled = (size: number): Uint8Array => new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)

interface Incoming {
  readonly kind: number
  readonly head: Buffer
  readonly bytes: Uint8Array
  filled: number
  /** Bytes up to which the sender may send. */
  granted: number
  window: number
  /** Small frames that had arrived at the last grant, and how many grants in a row saw no new one. */
  seen: number
  lonely: number
}

export interface InboxHandlers {
  /** Called when a large body is complete. */
  readonly complete: (kind: number, id: number, head: Buffer, bytes: Uint8Array) => void
  /** Whether a large body of this size may arrive. A string says why not. */
  readonly accept: (kind: number, id: number, total: number) => string | undefined
  readonly violate: (detail: string) => void
  /** Grants the sender that many more bytes. */
  readonly grant: (kind: Kind, id: number, more: number) => void
}

export class Inbox {
  /** Small frames that have arrived. They reduce the credit of large bodies. */
  smallFrames = 0
  /** Large bodies that are under way. */
  bodies = 0
  /** Credit of incomplete bodies, beyond their first windows. */
  private promised = 0
  private readonly incomingRequests = new Map<number, Incoming>()
  private readonly incomingResponses = new Map<number, Incoming>()
  private readonly handlers: InboxHandlers

  constructor(handlers: InboxHandlers) {
    this.handlers = handlers
  }

  /** Drops the received part of a large body of this call. Returns false when none was under way. */
  forget(id: number, direction: "request" | "response"): boolean {
    const incoming = direction === "request" ? this.incomingRequests : this.incomingResponses
    const body = incoming.get(id)
    if (body === undefined) return false
    this.release(incoming, id, body)
    return true
  }

  clear(): void {
    this.incomingRequests.clear()
    this.incomingResponses.clear()
    this.promised = 0
    this.bodies = 0
  }

  /** Takes an Open frame: a large body begins. */
  open(open: number, id: number, body: Buffer): void {
    if (body.length < 9) return this.handlers.violate(`${kindName(open)} frame of ${body.length} bytes`)
    const total = body.readDoubleBE(0)
    const kind = body[8]!
    const incoming = open === Kind.OpenRequest ? this.incomingRequests : this.incomingResponses
    if (
      !Number.isSafeInteger(total) ||
      total <= 0 ||
      total + body.length - 9 <= inlineLimit ||
      isFinal(kind) !== (open === Kind.OpenResponse) ||
      (open === Kind.OpenRequest && kind !== Kind.Request && kind !== Kind.Nested) ||
      incoming.has(id)
    ) {
      return this.handlers.violate(`${kindName(open)} frame for ${total} bytes of ${kindName(kind)}`)
    }
    const refusal = this.handlers.accept(kind, id, total)
    if (refusal !== undefined) return this.handlers.violate(refusal)
    this.bodies++
    incoming.set(id, {
      kind,
      head: Buffer.from(body.subarray(9)),
      bytes: unfilled(total),
      filled: 0,
      granted: creditWindow,
      window: creditWindow,
      seen: this.smallFrames,
      lonely: 0
    })
  }

  /** Takes bytes of a large body. */
  part(kind: number, id: number, bytes: Buffer): void {
    const map = kind === Kind.PartRequest ? this.incomingRequests : this.incomingResponses
    const body = map.get(id)
    // A sender stops a large body before it cancels the call, so no part can come later.
    if (body === undefined)
      return this.handlers.violate(`a ${kindName(kind)} frame for call ${id}, of which no large body is under way`)
    const filled = body.filled + bytes.length
    if (filled > body.bytes.length)
      return this.handlers.violate(`${kindName(kind)} frames beyond the announced ${body.bytes.length} bytes`)
    if (filled > body.granted) return this.handlers.violate(`${kindName(kind)} frames beyond their credit`)
    body.bytes.set(bytes, body.filled)
    body.filled = filled
    if (filled === body.bytes.length) {
      this.release(map, id, body)
      return this.handlers.complete(body.kind, id, body.head, body.bytes)
    }
    this.grantIfDue(kind, id, body)
  }

  private grantIfDue(kind: number, id: number, body: Incoming): void {
    if (body.granted - body.filled > body.window / 2 || body.granted >= body.bytes.length) return
    if (this.promised + body.window <= mostIncomplete || this.isOldest(body)) this.grant(kind, id, body)
  }

  private isOldest(body: Incoming): boolean {
    for (const map of [this.incomingRequests, this.incomingResponses]) {
      for (const first of map.values()) {
        if (first === body) return true
        break
      }
    }
    return false
  }

  /** Removes a large body. Others may then get the credit that was withheld. */
  private release(map: Map<number, Incoming>, id: number, body: Incoming): void {
    map.delete(id)
    this.bodies--
    const isFull = this.promised > mostIncomplete - maxCreditWindow
    this.promised -= body.granted - creditWindow
    if (!isFull) return
    for (const [id, body] of this.incomingRequests) this.grantIfDue(Kind.PartRequest, id, body)
    for (const [id, body] of this.incomingResponses) this.grantIfDue(Kind.PartResponse, id, body)
  }

  private grant(kind: number, id: number, body: Incoming): void {
    if (body.seen !== this.smallFrames) {
      body.seen = this.smallFrames
      body.lonely = 0
      body.window = creditWindow
    } else if (++body.lonely > lonelyGrants) body.window = Math.min(maxCreditWindow, body.window * 2)
    const more = body.filled + body.window - body.granted
    if (more <= 0) return
    body.granted += more
    this.promised += more
    this.handlers.grant(kind === Kind.PartRequest ? Kind.CreditRequest : Kind.CreditResponse, id, more)
  }
}
