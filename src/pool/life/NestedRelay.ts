/**
 * Passes the messages of a nested stream or placed service on, in both directions: between the runner whose function takes
 * them and the runner that serves them. The parent decodes none of them.
 *
 * The parent holds at most a window (128 KiB) and one message of each direction. Bytes that wait for one runner are not
 * granted anew to the other.
 */
import * as PeerWire from "../../call/peer/PeerWire.ts"
import { eachSpan } from "../../schema/Varint.ts"
import { Channel, type ChannelHandlers } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import type { Link } from "../../wire/Link.ts"
import { copyLimit } from "../../wire/Outgoing.ts"
import type { CallMessages } from "../engine/Call.ts"

/** The events of a relay. */
export interface RelayEvents {
  /** Called when the first message of the serving runner has arrived. */
  readonly begun: () => void
  /** Called when the placed service is built. */
  readonly built: () => void
  /** Called when the taker has sent a message of this many bytes, which is above the limit of the serving pool. */
  readonly tooLarge: (size: number) => void
}

export class NestedRelay implements CallMessages {
  isBegun = false
  readonly keepsLength = true
  readonly isSteady = true
  readonly slack = PeerWire.slack
  readonly isService: boolean
  /** The channel of the runner whose function takes the messages. */
  readonly taker: Channel
  /** The channel of the call, once the call was sent to a runner. */
  server: () => Channel | undefined = () => undefined
  private readonly events: RelayEvents
  private readonly most: number
  private isBuilt = false
  private isOver = false
  /** Bytes that arrived from the server and wait for the taker. */
  private toTaker = 0
  /** Bytes that arrived from the taker and wait for the server. */
  private toServer = 0

  /** `limit` and `most` are the largest messages, in bytes: of the taker's pool, and of the serving one. */
  constructor(link: Link, id: number, limit: number, most: number, isService: boolean, events: RelayEvents) {
    this.most = most
    this.isService = isService
    this.events = events
    const fromTaker: ChannelHandlers = {
      keepsLength: true,
      isSteady: true,
      slack: PeerWire.slack,
      batch: (messages) => this.send(copied(messages)),
      large: (message) => {
        if (message.length > this.most + PeerWire.slack) this.events.tooLarge(message.length)
        else this.send(message)
      },
      ready: () => this.tookAll()
    }
    this.taker = new Channel({ link, side: "runner", id, limit }, fromTaker)
  }

  batch(messages: Buffer): void {
    if (this.isService && !this.isBuilt) this.look(messages)
    this.pass(copied(messages))
  }

  large(message: Uint8Array): void {
    this.pass(message)
  }

  /** Called when the server has room again. */
  ready(): void {
    this.taker.consumed(this.toServer)
    this.toServer = 0
  }

  /** Tells a placed service that its runner has to leave. */
  leave(): void {
    const server = this.server()
    if (this.isBuilt && !this.isOver && server !== undefined) PeerWire.send(server, Kind.Draining, 0)
  }

  /** Runs `then` when the taker has all messages, or at once if they are dropped. */
  finish(isDropped: boolean, then: () => void): void {
    this.isOver = true
    if (isDropped) this.taker.dropUnsent()
    this.taker.flushed(then)
  }

  /** Stops passing messages on. */
  drop(): void {
    this.isOver = true
    this.taker.dropUnsent()
  }

  private pass(messages: Uint8Array): void {
    if (!this.isBegun) {
      this.isBegun = true
      this.events.begun()
    }
    this.toTaker += messages.length
    if (this.isOver || this.taker.send(messages)) this.tookAll()
  }

  private tookAll(): void {
    this.server()?.consumed(this.toTaker)
    this.toTaker = 0
  }

  private send(messages: Uint8Array): void {
    const server = this.server()
    this.toServer += messages.length
    if (this.isOver || server === undefined || server.send(messages)) this.ready()
  }

  /** Looks for the message by which a service reports that it is built. */
  private look(messages: Buffer): void {
    eachSpan(messages, (_, from) => {
      if (this.isBuilt || messages[from] !== Kind.Welcome) return
      this.isBuilt = true
      this.events.built()
    })
  }
}

/** Copies bytes: a view of a frame is valid only now, and a channel keeps more bytes than `copyLimit` by reference. */
const copied = (messages: Buffer): Uint8Array => (messages.length > copyLimit ? Buffer.from(messages) : messages)
