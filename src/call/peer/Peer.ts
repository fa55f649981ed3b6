/** An end of the channel of a placed service: sends requests to the other end, and answers its requests. */
import * as Effect from "effect/Effect"
import { eachSpan } from "../../schema/Varint.ts"
import type { Channel, ChannelHandlers } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import { PeerCalls, type PeerCallsOptions } from "./PeerCalls.ts"
import type { PeerServer } from "./PeerServer.ts"
import * as PeerWire from "./PeerWire.ts"

/** Options of one end. */
export interface PeerOptions extends PeerCallsOptions {
  /** Takes a message without an id: Welcome, once the service is built, or Draining. */
  readonly signal: (kind: number) => void
  /** Ends the session: the other end has broken the protocol. */
  readonly violate: (what: string) => void
}

export class Peer implements ChannelHandlers {
  readonly slack: number = PeerWire.slack
  readonly calls: PeerCalls
  server: PeerServer | undefined
  private readonly options: PeerOptions
  private isOver = false
  private isCut = false

  constructor(options: PeerOptions) {
    this.options = options
    this.calls = new PeerCalls(options)
  }

  batch(messages: Buffer): void {
    eachSpan(messages, (_, from, end) => this.message(messages, from, end, false))
    this.options.channel().consumed(messages.length)
  }

  large(message: Uint8Array): void {
    this.message(Buffer.from(message.buffer, message.byteOffset, message.length), 0, message.length, true)
    this.options.channel().consumed(message.length)
  }

  ready(): void {
    this.server?.ready()
  }

  /** Sends a message without a body. */
  say(kind: Kind): void {
    PeerWire.send(this.channel, kind, 0)
  }

  private get channel(): Channel {
    return this.options.channel()
  }

  private message(bytes: Buffer, from: number, end: number, owned: boolean): void {
    // messages in flight at the end, or after a breach of the protocol, are dropped
    if (this.isOver || this.isCut) return
    if (end - from < PeerWire.headSize) return this.violate("a message that is too short")
    const kind = bytes[from]!
    const id = bytes.readUInt32BE(from + 1)
    const body = bytes.subarray(from + PeerWire.headSize, end)
    switch (kind) {
      case Kind.Request: {
        const wrong = this.server === undefined ? "a request before it can be" : this.server.request(id, body, owned)
        if (wrong !== undefined) this.violate(wrong)
        return
      }
      case Kind.Cancel:
        return this.server?.cancel(id)
      case Kind.GrantRequest:
        if (body.length !== 4 || this.server?.granted(id, body.readUInt32BE(0)) === false)
          this.violate("a grant of more than was sent")
        return
      case Kind.Welcome:
      case Kind.Draining:
        return this.options.signal(kind)
      default: {
        const wrong = this.calls.message(kind, id, body, owned ? body : undefined)
        if (wrong !== undefined) this.violate(wrong)
      }
    }
  }

  private violate(what: string): void {
    this.isCut = true
    this.options.violate(what)
  }

  /** Closes this end: interrupts its handlers and waits for them, and fails its own requests. */
  readonly endPeer: Effect.Effect<void> = Effect.suspend(() => {
    this.isOver = true
    // interrupts the handlers first: otherwise they would see their own requests fail, and report that instead
    this.server?.interrupt()
    this.calls.failOpen()
    return this.server?.idle ?? Effect.void
  })
}
