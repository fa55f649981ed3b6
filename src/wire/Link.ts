/**
 * A session between a parent and one runner: frames over a Transport.
 *
 * The Outbox writes frames, the Inbox puts large bodies together. A peer that breaks a rule loses its connection.
 */
import { printableLine } from "../error/PeerText.ts"
import type { OutgoingMessages } from "./Outgoing.ts"
import { isItems, Kind, kindName } from "./Frame.ts"
import { Parser } from "./FrameParser.ts"
import { Inbox } from "./Inbox.ts"
import { Outbox } from "./Outbox.ts"
import type { Transport } from "./Transport.ts"

export { creditWindow, maxCreditWindow } from "./Inbox.ts"

/** How a session ended. */
export interface LinkClosed {
  /** How the peer broke the protocol; undefined if it did not. */
  readonly violation: string | undefined
  readonly error: Error | undefined
}

export interface LinkHandlers {
  /** Takes a frame, or the head of a large body with its payload. `body` is a view that holds only during the call. */
  readonly message: (kind: number, id: number, body: Buffer, large: Uint8Array | undefined) => void
  /** Decides whether a large body of this size may come. A string says why not, and ends the session. */
  readonly accept: (kind: number, id: number, total: number) => string | undefined
  /** Takes bytes of a channel's messages: a view that holds only during the call. Absent: Items frames are a violation. */
  readonly items?: (kind: number, id: number, bytes: Buffer) => void
  /** Takes a grant for a channel's messages, in bytes. Absent: Grant frames are a violation. */
  readonly grant?: (kind: number, id: number, more: number) => void
  /** Called after a write that has left bytes in the connection. `buffered` says how many. */
  readonly congested?: () => void
  /** Called once, last. */
  readonly closed: (how: LinkClosed) => void
}

const none = new Uint8Array(0)

export class Link {
  private isClosed = false
  private violated: string | undefined
  private readonly transport: Transport
  private handlers: LinkHandlers
  private readonly parser: Parser
  private readonly inbox: Inbox
  private readonly outbox: Outbox

  constructor(transport: Transport, handlers: LinkHandlers) {
    this.transport = transport
    this.handlers = handlers
    this.outbox = new Outbox(transport, () => this.handlers.congested?.())
    this.inbox = new Inbox({
      complete: (kind, id, head, bytes) => this.handlers.message(kind, id, head, bytes),
      accept: (kind, id, total) => this.handlers.accept(kind, id, total),
      violate: (detail) => this.violate(detail),
      grant: (kind, id, more) => {
        const credit = Buffer.allocUnsafe(4)
        credit.writeUInt32BE(more, 0)
        this.control(kind, id, credit)
      }
    })
    this.parser = new Parser({
      frame: this.onFrame,
      part: (kind, id, bytes) => (isItems(kind) ? this.onItems(kind, id, bytes) : this.inbox.part(kind, id, bytes)),
      violation: (detail) => this.violate(detail)
    })
  }

  /** Passes everything that arrives from now on to other handlers. */
  handOver(handlers: LinkHandlers): void {
    this.handlers = handlers
  }

  /** Starts to read. The handlers may be called from now on. */
  open(): void {
    this.transport.start({
      data: this.onData,
      drained: () => this.outbox.drained(),
      closed: (error) => this.onClosed(error)
    })
  }

  /**
   * Sends a frame whose body is `head` and then `payload`. Above 32 KiB the payload leaves in parts and is not copied;
   * `lost` is called if its memory is detached before it has left.
   */
  send(kind: Kind, id: number, head: Uint8Array, payload: Uint8Array, lost?: () => void): void {
    this.outbox.send(kind, id, head, payload, lost)
  }

  /** Sends a frame without head. */
  control(kind: Kind, id: number, body: Uint8Array = none): void {
    this.outbox.send(kind, id, none, body)
  }

  /** Drops the unsent rest of a large body of this call. Returns false when nothing was left to send. */
  abandon(id: number, direction: "request" | "response"): boolean {
    return this.outbox.abandon(id, direction)
  }

  /** Drops the received part of a large body of this call. Returns false when none was under way. */
  forget(id: number, direction: "request" | "response"): boolean {
    return this.inbox.bodies > 0 && this.inbox.forget(id, direction)
  }

  /** Sends bytes of a channel's messages when their turn comes. More than 8 KiB are not copied. */
  sendMessages(messages: OutgoingMessages, bytes: Uint8Array): void {
    this.outbox.sendMessages(messages, bytes)
  }

  /** Adds credit for a channel's messages, in bytes. */
  grantMessages(messages: OutgoingMessages, more: number): void {
    this.outbox.grantMessages(messages, more)
  }

  /** Drops the unsent bytes of a channel's messages. */
  dropMessages(messages: OutgoingMessages): void {
    this.outbox.dropMessages(messages)
  }

  /** Frames of calls that have arrived. Large bodies get little credit while they keep coming. */
  get smallFrames(): number {
    return this.inbox.smallFrames
  }

  /** Runs `f` when no large body is left to send, at once if none is. Never runs `f` if the link ends before. */
  whenSent(f: () => void): void {
    this.outbox.whenSent(f)
  }

  /** Runs `f` at the end of this turn, or when a congested transport has drained. */
  whenFree(f: () => void): void {
    this.outbox.whenFree(f)
  }

  /** Bytes of large bodies and channels that wait for credit, or for their turn. */
  get unsent(): number {
    return this.outbox.unsent
  }

  /** Bytes that wait in the connection. */
  get buffered(): number {
    return this.transport.buffered?.() ?? 0
  }

  /** Handles and reads nothing more until `resume`, so the peer has to wait. Frames that were read already are kept. */
  pause(): void {
    if (this.parser.isPaused || this.isClosed) return
    this.parser.pause()
    this.transport.pause?.()
  }

  resume(): void {
    if (!this.parser.isPaused || this.isClosed) return
    if (this.guarded(() => this.parser.resume()) && !this.isClosed) this.transport.resume?.()
  }

  get isPaused(): boolean {
    return this.parser.isPaused
  }

  /** Runs `f` at the end of this turn. */
  atTurnEnd(f: () => void): void {
    this.transport.atTurnEnd(f)
  }

  /** Runs `f` after the other events that are due now. */
  later(f: () => void): void {
    this.transport.later(f)
  }

  /**
   * The turn in which a frame that is sent now leaves. The frame was handed to the transport when `flushed` is at least as
   * high.
   */
  get turn(): number {
    return this.outbox.turn
  }

  get flushed(): number {
    return this.outbox.flushed
  }

  /** The latest turn whose frames the peer may have read. The peer cannot have read a frame of a later turn. */
  get begun(): number {
    return this.outbox.begun
  }

  /** Flushes and then closes the connection. The unsent rest of large bodies is lost. */
  endSession(): void {
    if (this.isClosed) return
    this.outbox.flushLast()
    this.transport.end()
  }

  /** Closes the connection now. Nothing more is handled. */
  destroy(error?: Error): void {
    this.parser.stop()
    this.transport.destroy(error)
  }

  get closed(): boolean {
    return this.isClosed
  }

  /** Ends the session because the peer broke a rule. */
  violate(detail: string): void {
    if (this.violated !== undefined || this.isClosed) return
    // This error may quote bytes of the peer.
    this.violated = printableLine(detail, 1_000)
    this.parser.stop()
    this.transport.destroy()
  }

  /** Handles bytes of the peer. An exception ends the session. Uncaught, it would end this process. */
  private readonly onData = (chunk: Uint8Array): void => {
    try {
      this.parser.push(chunk)
    } catch (error) {
      this.failed(error)
    }
  }

  private guarded(parse: () => boolean): boolean {
    try {
      return parse()
    } catch (error) {
      this.failed(error)
      return false
    }
  }

  private failed(error: unknown): void {
    this.violate(`what could not be handled: ${error instanceof Error ? error.message : String(error)}`)
  }

  private readonly onFrame = (kind: number, id: number, body: Buffer): void => {
    if (kind < Kind.OpenRequest) {
      // Pings and the like arrive at any time, and say nothing about calls.
      if (kind < Kind.Ping) this.inbox.smallFrames++
      return this.handlers.message(kind, id, body, undefined)
    }
    switch (kind) {
      case Kind.Nested:
      case Kind.NestedCancel:
        this.inbox.smallFrames++
        return this.handlers.message(kind, id, body, undefined)
      case Kind.OpenRequest:
      case Kind.OpenResponse:
        return this.inbox.open(kind, id, body)
      case Kind.CreditRequest:
      case Kind.CreditResponse:
      case Kind.GrantRequest:
      case Kind.GrantResponse:
        return this.onCredit(kind, id, body)
      case Kind.Logs:
      case Kind.Metrics:
      case Kind.Ran:
        return this.handlers.message(kind, id, body, undefined)
      default:
        this.violate(kindName(kind))
    }
  }

  private onCredit(kind: number, id: number, body: Buffer): void {
    if (body.length !== 4) return this.violate(`${kindName(kind)} frame of ${body.length} bytes`)
    const more = body.readUInt32BE(0)
    if (kind === Kind.CreditRequest) return this.outbox.credit(Kind.PartRequest, id, more)
    if (kind === Kind.CreditResponse) return this.outbox.credit(Kind.PartResponse, id, more)
    if (this.handlers.grant === undefined) return this.violate(`${kindName(kind)} where there are no channels`)
    this.handlers.grant(kind, id, more)
  }

  private onItems(kind: number, id: number, bytes: Buffer): void {
    if (this.handlers.items === undefined) return this.violate(`${kindName(kind)} where there are no channels`)
    this.handlers.items(kind, id, bytes)
  }

  private onClosed(error: Error | undefined): void {
    if (this.isClosed) return
    // The peer sent these frames before it left.
    while (this.parser.isPaused && this.violated === undefined) this.guarded(() => this.parser.resume())
    this.isClosed = true
    if (this.violated === undefined && error === undefined && !this.parser.isAtBoundary) {
      this.violated = "an end in the middle of a frame"
    }
    this.parser.stop()
    this.outbox.closeOutbox()
    this.inbox.clear()
    this.handlers.closed({ violation: this.violated, error })
  }
}
