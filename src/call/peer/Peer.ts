/** One end of the channel of a placed service: asks the other end, and answers it. */
import * as Effect from "effect/Effect"
import { eachSpan } from "../../schema/Varint.ts"
import type { Channel, ChannelHandlers } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import { PeerCalls, type PeerCallsOptions } from "./PeerCalls.ts"
import type { PeerServer } from "./PeerServer.ts"
import * as PeerWire from "./PeerWire.ts"

/** Terms of one end. */
export interface PeerOptions extends PeerCallsOptions {
  /** What comes before requests can, and beside them. */
  readonly signal: (kind: number) => void
  /** The other end does not keep to what is agreed. */
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

  /** Says something that has no body. */
  say(kind: Kind): void {
    PeerWire.send(this.channel, kind, 0)
  }

  private get channel(): Channel {
    return this.options.channel()
  }

  private message(bytes: Buffer, from: number, end: number, owned: boolean): void {
    // what was under way at the end is for nobody, and so is what comes with something that is against the rules
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

  /** Asks and answers nothing any more: what it answers is interrupted and waited for. */
  readonly endPeer: Effect.Effect<void> = Effect.suspend(() => {
    this.isOver = true
    // what is answered is interrupted before it hears that what it asked fails, which is no news of its own
    this.server?.interrupt()
    this.calls.failOpen()
    return this.server?.idle ?? Effect.void
  })
}
