/**
 * Frames over a Transport: the session between a parent and one runner.
 *
 * All frames of a turn leave in one write. Small bodies are copied into a slab, large ones go by reference, in
 * parts that take turns with each other and never keep more than a few parts between a small frame and the peer.
 * A peer that breaks a rule loses its connection, and nothing else.
 */
import {
  headerSize,
  inlineLimit,
  isFinal,
  Kind,
  kindName,
  Parser,
  partSize
} from "./Frame.ts"
import type { Transport } from "./Transport.ts"

/**
 * Bytes of one large body that may be under way without the receiver's consent to more: at first, and while small
 * frames come beside it, which would have to wait behind them. When none came for `lonelyGrants` consents it doubles
 * at each up to `maxCreditWindow`, so that a connection with a long way is filled too.
 */
export const creditWindow = 128 * 1024
export const maxCreditWindow = 4 * 1024 * 1024
const lonelyGrants = 8

/** Parts that leave in one turn: beyond it other events of the loop come first. */
const partsPerTurn = 2

const slabSize = 64 * 1024
/** Above this a body is passed by reference: two more entries of a gathered write cost less than the copy. */
const copyLimit = 8 * 1024

/** How a session ended. */
export interface LinkClosed {
  /** The peer broke the protocol: what it did. */
  readonly violation: string | undefined
  readonly error: Error | undefined
}

export interface LinkHandlers {
  /** A frame, or the head of a large body with its payload; `body` is a view that holds only during the call. */
  readonly message: (kind: number, id: number, body: Buffer, large: Uint8Array | undefined) => void
  /** Whether a large body of this size may come; a string says why not and ends the session. */
  readonly accept: (kind: number, id: number, total: number) => string | undefined
  /** Comes once, last. */
  readonly closed: (how: LinkClosed) => void
}

interface Outgoing {
  readonly part: number
  readonly id: number
  readonly bytes: Uint8Array
  offset: number
  credit: number
}

interface Incoming {
  readonly kind: number
  readonly head: Buffer
  readonly bytes: Uint8Array
  filled: number
  /** How far the sender may go. */
  granted: number
  window: number
  /** Small frames that had come when it was granted more last, and how often in a row there were none. */
  seen: number
  lonely: number
}

const none = new Uint8Array(0)
const isResponse = (kind: number) => isFinal(kind)

export class Link {
  /** Grows by one with each flush; a frame sent in turn n was handed to the transport when `flushed >= n`. */
  turn = 1
  flushed = 0
  private slab = Buffer.allocUnsafeSlow(slabSize)
  private start = 0
  private at = 0
  private gathered: Array<Uint8Array> | undefined
  private scheduled = false
  private congested = false
  private isClosed = false
  private smallFrames = 0
  private violated: string | undefined
  private readonly outgoing: Array<Outgoing> = []
  private waiters: Array<() => void> = []
  private readonly incomingRequests = new Map<number, Incoming>()
  private readonly incomingResponses = new Map<number, Incoming>()
  private readonly transport: Transport
  private readonly handlers: LinkHandlers
  private readonly parser: Parser

  constructor(transport: Transport, handlers: LinkHandlers) {
    this.transport = transport
    this.handlers = handlers
    this.parser = new Parser({
      frame: (kind, id, body) => this.onFrame(kind, id, body),
      part: (kind, id, bytes) => this.onPart(kind, id, bytes),
      violation: (detail) => this.violate(detail)
    })
  }

  /** Begins to read; the handlers may be called from now on. */
  open(): void {
    this.transport.start({
      data: (chunk) => this.onData(chunk),
      drained: () => {
        this.congested = false
        this.flush()
      },
      closed: (error) => this.onClosed(error)
    })
  }

  /** Sends a frame whose body is `head` and then `payload`; large ones in parts. Large payloads are not copied. */
  send(kind: Kind, id: number, head: Uint8Array, payload: Uint8Array): void {
    if (this.isClosed) return
    const length = head.length + payload.length
    // the handshake is in whole frames: a Hello names every function of its runner
    if (length > inlineLimit && kind >= Kind.Request) return this.sendLarge(kind, id, head, payload)
    const copied = payload.length <= copyLimit
    const room = headerSize + head.length + (copied ? payload.length : 0)
    if (slabSize - this.at < room) this.nextSlab()
    this.header(kind, id, length)
    if (head.length > 0) {
      this.slab.set(head, this.at)
      this.at += head.length
    }
    if (copied) {
      this.slab.set(payload, this.at)
      this.at += payload.length
    } else {
      this.gatherSlab()
      this.gathered!.push(payload)
    }
    this.schedule()
  }

  /** Sends a frame without head. */
  control(kind: Kind, id: number, body: Uint8Array = none): void {
    this.send(kind, id, none, body)
  }

  /** Drops what is unsent of a large body of this call; false when there was nothing of it left to send. */
  abandon(id: number, direction: "request" | "response"): boolean {
    if (this.outgoing.length === 0) return false
    const part = direction === "request" ? Kind.PartRequest : Kind.PartResponse
    const index = this.outgoing.findIndex((body) => body.part === part && body.id === id)
    if (index < 0) return false
    this.outgoing.splice(index, 1)
    // somebody may wait for it to be out of the way
    this.schedule()
    return true
  }

  /** Drops what has come of a large body of this call; false when none was under way. */
  forget(id: number, direction: "request" | "response"): boolean {
    const incoming = direction === "request" ? this.incomingRequests : this.incomingResponses
    return incoming.size > 0 && incoming.delete(id)
  }

  /** Sends what was sent so far, then closes. Large bodies that are under way are lost. */
  end(): void {
    if (this.isClosed) return
    this.outgoing.length = 0
    this.waiters = []
    this.flush()
    this.transport.end()
  }

  /** Closes now; nothing more is taken in. */
  destroy(error?: Error): void {
    this.parser.stop()
    this.transport.destroy(error)
  }

  get closed(): boolean {
    return this.isClosed
  }

  /** Runs `f` when no large body is under way any more; at once when none is, never when the link ends before. */
  whenSent(f: () => void): void {
    if (this.outgoing.length === 0) f()
    else this.waiters.push(f)
  }

  /** Ends the session because the peer broke a rule. */
  violate(detail: string): void {
    if (this.violated !== undefined || this.isClosed) return
    this.violated = detail
    this.parser.stop()
    this.transport.destroy()
  }

  private header(kind: number, id: number, length: number): void {
    const { at, slab } = this
    slab[at] = length >>> 24
    slab[at + 1] = length >>> 16
    slab[at + 2] = length >>> 8
    slab[at + 3] = length
    slab[at + 4] = kind
    slab[at + 5] = id >>> 24
    slab[at + 6] = id >>> 16
    slab[at + 7] = id >>> 8
    slab[at + 8] = id
    this.at = at + headerSize
  }

  private nextSlab(): void {
    this.gatherSlab()
    this.slab = Buffer.allocUnsafeSlow(slabSize)
    this.start = 0
    this.at = 0
  }

  private gatherSlab(): void {
    this.gathered ??= []
    if (this.at > this.start) this.gathered.push(this.slab.subarray(this.start, this.at))
    this.start = this.at
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    this.transport.atTurnEnd(this.flush)
  }

  private sendLarge(kind: Kind, id: number, head: Uint8Array, payload: Uint8Array): void {
    const response = isResponse(kind)
    const open = Buffer.allocUnsafe(9 + head.length)
    open.writeDoubleBE(payload.length, 0)
    open[8] = kind
    open.set(head, 9)
    this.control(response ? Kind.OpenResponse : Kind.OpenRequest, id, open)
    this.outgoing.push({
      part: response ? Kind.PartResponse : Kind.PartRequest,
      id,
      bytes: payload,
      offset: 0,
      credit: creditWindow
    })
  }

  private readonly flush = (): void => {
    this.scheduled = false
    if (this.isClosed) return
    if (this.outgoing.length > 0 && !this.congested) this.gatherParts()
    this.turn++
    this.flushed = this.turn - 1
    const tail = this.at > this.start ? this.slab.subarray(this.start, this.at) : undefined
    const gathered = this.gathered
    if (tail !== undefined) this.start = this.at
    if (gathered !== undefined) {
      this.gathered = undefined
      if (tail !== undefined) gathered.push(tail)
      this.congested = !this.transport.write(gathered)
    } else if (tail !== undefined) {
      this.congested = !this.transport.write([tail])
    }
    if (slabSize - this.at < 4096) {
      this.slab = Buffer.allocUnsafeSlow(slabSize)
      this.start = 0
      this.at = 0
    }
    if (this.outgoing.length === 0 && this.waiters.length > 0) {
      const waiters = this.waiters
      this.waiters = []
      for (const waiter of waiters) waiter()
    }
    if (!this.congested && this.outgoing.some((body) => body.credit > 0) && !this.scheduled) {
      this.scheduled = true
      this.transport.later(this.flush)
    }
  }

  /** One part of each body in turn, so that two large values share the connection. */
  private gatherParts(): void {
    let left = partsPerTurn
    let blocked = 0
    while (left > 0 && this.outgoing.length > blocked) {
      const body = this.outgoing.shift()!
      const size = Math.min(partSize, body.credit, body.bytes.length - body.offset)
      if (size === 0) {
        blocked++
        this.outgoing.push(body)
        continue
      }
      blocked = 0
      left--
      if (slabSize - this.at < headerSize) this.nextSlab()
      this.header(body.part, body.id, size)
      this.gatherSlab()
      this.gathered!.push(body.bytes.subarray(body.offset, body.offset + size))
      body.offset += size
      body.credit -= size
      if (body.offset < body.bytes.length) this.outgoing.push(body)
    }
  }

  /** Whatever a peer sends ends its own session at worst: an error here would end this process. */
  private onData(chunk: Uint8Array): void {
    try {
      this.parser.push(chunk)
    } catch (error) {
      this.violate(`what could not be handled: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  private onFrame(kind: number, id: number, body: Buffer): void {
    if (kind < Kind.OpenRequest) {
      this.smallFrames++
      return this.handlers.message(kind, id, body, undefined)
    }
    switch (kind) {
      case Kind.OpenRequest:
      case Kind.OpenResponse:
        return this.onOpen(kind, id, body)
      case Kind.CreditRequest:
      case Kind.CreditResponse:
        return this.onCredit(kind, id, body)
      default:
        this.violate(`${kindName(kind)}`)
    }
  }

  private onOpen(open: number, id: number, body: Buffer): void {
    if (body.length < 9) return this.violate(`${kindName(open)} frame of ${body.length} bytes`)
    const total = body.readDoubleBE(0)
    const kind = body[8]!
    const incoming = open === Kind.OpenRequest ? this.incomingRequests : this.incomingResponses
    if (
      !Number.isSafeInteger(total) ||
      total <= 0 ||
      total + body.length - 9 <= inlineLimit ||
      isResponse(kind) !== (open === Kind.OpenResponse) ||
      (open === Kind.OpenRequest && kind !== Kind.Request) ||
      incoming.has(id)
    ) {
      return this.violate(`${kindName(open)} frame for ${total} bytes of ${kindName(kind)}`)
    }
    const refusal = this.handlers.accept(kind, id, total)
    if (refusal !== undefined) return this.violate(refusal)
    incoming.set(id, {
      kind,
      head: Buffer.from(body.subarray(9)),
      // zeroed pages are only committed when bytes arrive, so that an announced length costs a liar's peer nothing
      bytes: new Uint8Array(total),
      filled: 0,
      granted: creditWindow,
      window: creditWindow,
      seen: this.smallFrames,
      lonely: 0
    })
  }

  private onPart(kind: number, id: number, bytes: Buffer): void {
    const map = kind === Kind.PartRequest ? this.incomingRequests : this.incomingResponses
    const body = map.get(id)
    // whoever gives up a large body stops sending it before it says so, so nothing of it can come later
    if (body === undefined) return this.violate(`a ${kindName(kind)} frame for call ${id}, of which no large body is under way`)
    const filled = body.filled + bytes.length
    if (filled > body.bytes.length) return this.violate(`${kindName(kind)} frames beyond the announced ${body.bytes.length} bytes`)
    if (filled > body.granted) return this.violate(`${kindName(kind)} frames beyond their credit`)
    body.bytes.set(bytes, body.filled)
    body.filled = filled
    if (filled === body.bytes.length) {
      map.delete(id)
      return this.handlers.message(body.kind, id, body.head, body.bytes)
    }
    if (body.granted - filled <= body.window / 2 && body.granted < body.bytes.length) this.grant(kind, id, body)
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
    const credit = Buffer.allocUnsafe(4)
    credit.writeUInt32BE(more, 0)
    this.control(kind === Kind.PartRequest ? Kind.CreditRequest : Kind.CreditResponse, id, credit)
  }

  private onCredit(kind: number, id: number, body: Buffer): void {
    if (body.length !== 4) return this.violate(`${kindName(kind)} frame of ${body.length} bytes`)
    const part = kind === Kind.CreditRequest ? Kind.PartRequest : Kind.PartResponse
    for (const outgoing of this.outgoing) {
      if (outgoing.part === part && outgoing.id === id) {
        outgoing.credit += body.readUInt32BE(0)
        if (!this.congested) this.schedule()
        return
      }
    }
  }

  private onClosed(error: Error | undefined): void {
    if (this.isClosed) return
    this.isClosed = true
    if (this.violated === undefined && error === undefined && !this.parser.isAtBoundary) {
      this.violated = "the connection ended in the middle of a frame"
    }
    this.parser.stop()
    this.outgoing.length = 0
    this.gathered = undefined
    this.incomingRequests.clear()
    this.incomingResponses.clear()
    this.handlers.closed({ violation: this.violated, error })
  }
}
