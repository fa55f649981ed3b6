/** Sends the items of a streaming function, as fast as their receiver takes them. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { FunctionCodec } from "../function/FunctionCodec.ts"
import { aroundItem } from "../schema/ItemCodec.ts"
import { Channel, type LinkEnd } from "../wire/Channel.ts"
import type { ChannelServer } from "./ChannelServer.ts"

type Chunk = readonly [unknown, ...Array<unknown>]
type Streaming = Stream.Stream<unknown, unknown, unknown>
type Pulled = Pull.Pull<Chunk, unknown>

/** Bytes that are encoded at a time, estimated from the items before. Items are not encoded far ahead of their sending. */
const batchSize = 32 * 1024
const firstBatch = 16
const largestBatch = 4096

/**
 * Bytes above which a message is encoded again with fewer items. The receiver has to hold a whole message before it can use
 * an item of it.
 */
const largestMessage = 4 * batchSize

/** The defect of a stream with an item that has more bytes than the parent accepts. */
export class ItemTooLarge {
  readonly size: number
  readonly limit: number

  constructor(size: number, limit: number) {
    this.size = size
    this.limit = limit
  }
}

/** Takes the encoded items of a stream. */
export interface Sink {
  /** Sends the bytes of whole items, in pieces that follow each other. */
  readonly write: (pieces: ReadonlyArray<Uint8Array>) => void
  /** Whether there is room for more. If not, `Outlet.ready` is called once there is. */
  readonly isReady: boolean
}

/** Makes the runner's end of the channel of a streaming function. */
export const serve = (end: LinkEnd, codec: FunctionCodec, maxItem: number): ChannelServer => {
  const channel: Channel = new Channel(end, {
    batch: () => end.link.violate("messages for a function that takes none"),
    large: () => end.link.violate("a message for a function that takes none"),
    ready: () => outlet.ready()
  })
  const sink: Sink = {
    write: (pieces) => pieces.forEach((piece) => channel.send(piece)),
    get isReady() {
      return channel.isReady
    }
  }
  const outlet = new Outlet(sink, codec, maxItem)
  return { channel, run: (made) => outlet.run(made) }
}

/** Encodes and sends the items of one call. */
export class Outlet {
  private readonly sink: Sink
  private readonly codec: FunctionCodec
  private readonly maxItem: number
  private resume: (() => void) | undefined
  private perBatch = firstBatch

  constructor(sink: Sink, codec: FunctionCodec, maxItem: number) {
    this.sink = sink
    this.codec = codec
    this.maxItem = maxItem
  }

  /** Resumes the stream: there is room again. */
  ready(): void {
    this.resume?.()
  }

  /** Runs the stream of the function to its end, in the Scope of the call. */
  run(made: Effect.Effect<unknown, unknown, unknown>): Effect.Effect<void, unknown, unknown> {
    return Effect.flatMap(made, (stream) =>
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.flatMap(pullOf(stream as Streaming, scope), (pull) =>
          Pull.catchDone(
            Effect.forever(
              Effect.flatMap(pull, (items) => this.send(items, 0)),
              { disableYield: true }
            ),
            () => Effect.void
          )
        )
      )
    )
  }

  private send(items: Chunk, from: number): Effect.Effect<void, unknown, unknown> {
    if (!this.codec.success.isSync) return Effect.forEach(items, (item) => this.sendLater(item), { discard: true })
    while (from < items.length) {
      // Another stream may have used the room meanwhile.
      if (!this.sink.isReady) return Effect.flatMap(this.room, () => this.send(items, from))
      const until = Math.min(items.length, from + this.perBatch)
      if (!this.sendBatch(from === 0 && until === items.length ? items : items.slice(from, until))) continue
      const next = (from = until)
      if (!this.sink.isReady) return Effect.flatMap(this.room, () => this.send(items, next))
    }
    return Effect.void
  }

  /** Sends items in one message. Returns false if fewer items must be tried. */
  private sendBatch(items: ReadonlyArray<unknown>): boolean {
    let pieces: ReadonlyArray<Uint8Array>
    try {
      pieces = this.encode(items)
    } catch (error) {
      if (items.length === 1) throw error
      // The items before the one that does not fit are sent first.
      this.perBatch = items.length >> 1
      return false
    }
    let size = 0
    for (const piece of pieces) size += piece.length
    const fitting = Math.floor((batchSize * items.length) / Math.max(1, size))
    if (items.length > 1 && size > Math.min(largestMessage, this.maxItem)) {
      this.perBatch = Math.max(1, Math.min(items.length >> 1, fitting))
      return false
    }
    this.sink.write(pieces)
    // Grows at most twofold, because a large item among small ones would otherwise be encoded again and again.
    this.perBatch = Math.max(1, Math.min(largestBatch, 2 * this.perBatch, fitting))
    return true
  }

  private encode(items: ReadonlyArray<unknown>): ReadonlyArray<Uint8Array> {
    if (this.codec.isItemBare) for (const item of items) if (item instanceof Uint8Array) this.check(item.length)
    const pieces = this.codec.items.encodeMany(items)
    if (items.length === 1 && !this.codec.isItemBare) this.check(pieces.at(-1)!.length - aroundItem)
    return pieces
  }

  /** Sends an item that is encoded by an effect. */
  private sendLater(item: unknown): Effect.Effect<void, unknown, unknown> {
    return Effect.flatMap(Effect.orDie(this.codec.items.encodeEffect(item)), (bytes) => {
      this.check(bytes.length - aroundItem)
      return this.sink.isReady ? this.writeLater(bytes) : Effect.flatMap(this.room, () => this.writeLater(bytes))
    })
  }

  private writeLater(bytes: Uint8Array): Effect.Effect<void> {
    this.sink.write([bytes])
    return this.sink.isReady ? Effect.void : this.room
  }

  private check(size: number): void {
    if (size > this.maxItem) throw new ItemTooLarge(size, this.maxItem)
  }

  private readonly change: Effect.Effect<void> = Effect.callback((resume) => {
    this.resume = () => resume(Effect.void)
    return Effect.sync(() => {
      this.resume = undefined
    })
  })

  private readonly room: Effect.Effect<void> = Effect.suspend(() =>
    this.sink.isReady ? Effect.void : Effect.flatMap(this.change, () => this.room)
  )
}

/**
 * `Channel.toPullScoped` without an import of `effect/Channel`, which would load a tenth of Effect into runners that have no
 * streams. A function that makes a stream has loaded the module.
 */
const pullOf = ({ channel }: Streaming, scope: Scope.Scope): Effect.Effect<Pulled, never, unknown> =>
  (channel as unknown as Transforming).transform(Cause.done(), scope)

interface Transforming {
  readonly transform: (upstream: Pull.Pull<never>, scope: Scope.Scope) => Effect.Effect<Pulled, never, unknown>
}
