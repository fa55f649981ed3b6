/** How the items of a streaming function leave its runner: chunk by chunk, as fast as their receiver takes them. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { FunctionCodec } from "../FunctionCodec.ts"
import { eachMessage } from "../Varint.ts"
import { Channel, type ChannelPlace } from "../wire/Channel.ts"
import type { ChannelServer } from "./ChannelServer.ts"

type Chunk = readonly [unknown, ...Array<unknown>]
type Streaming = Stream.Stream<unknown, unknown, unknown>
type Pulled = Pull.Pull<Chunk, unknown>

/** What is encoded at once, in bytes as far as the items before tell: nothing is encoded far ahead of its sending. */
const batchSize = 32 * 1024
const firstBatch = 16
const largestBatch = 4096

/** An item is larger than the parent takes. */
export class ItemTooLarge {
  readonly size: number
  readonly limit: number

  constructor(size: number, limit: number) {
    this.size = size
    this.limit = limit
  }
}

/** What takes the bytes of items. */
export interface Sink {
  /** Sends bytes of one or more whole items, in pieces that follow each other. */
  readonly write: (pieces: ReadonlyArray<Uint8Array>) => void
  /** Whether there is room for more; else `ready` of the outlet is to be called once there is. */
  readonly isReady: boolean
}

/** A streaming function's end of its channel. */
export const serve = (place: ChannelPlace, codec: FunctionCodec, maxItem: number): ChannelServer => {
  const channel: Channel = new Channel(place, {
    batch: () => place.link.violate("messages for a function that takes none"),
    large: () => place.link.violate("a message for a function that takes none"),
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

/** Where the items of one call go. */
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

  /** There is room again. */
  ready(): void {
    this.resume?.()
  }

  /** Runs the stream that the function gives to its end, in the Scope of the call. */
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
    if (!this.codec.isSuccessSync) return Effect.forEach(items, (item) => this.sendLater(item), { discard: true })
    while (from < items.length) {
      const until = Math.min(items.length, from + this.perBatch)
      const isRoom = this.encode(from === 0 && until === items.length ? items : items.slice(from, until))
      const next = until
      if (!isRoom) return Effect.flatMap(this.room, () => this.send(items, next))
      from = next
    }
    return Effect.void
  }

  /** Sends some items; false when there is no room for more. */
  private encode(items: ReadonlyArray<unknown>): boolean {
    let pieces: ReadonlyArray<Uint8Array>
    try {
      pieces = this.codec.isItemBare ? this.bare(items) : this.checked(this.codec.items.encodeMany(items))
    } catch (error) {
      if (items.length === 1) throw error
      // those before the one that does not fit are sent before it is told
      for (const item of items) this.encode([item])
      throw error
    }
    const size = this.write(pieces)
    this.perBatch = Math.max(1, Math.min(largestBatch, Math.floor((batchSize * items.length) / Math.max(1, size))))
    return this.sink.isReady
  }

  /** An item whose encoding needs a service or time. */
  private sendLater(item: unknown): Effect.Effect<void, unknown, unknown> {
    return Effect.flatMap(Effect.orDie(this.codec.encodeSuccessEffect(item)), (bytes) => {
      this.write(this.checked([bytes]))
      return this.sink.isReady ? Effect.void : this.room
    })
  }

  private write(pieces: ReadonlyArray<Uint8Array>): number {
    let size = 0
    for (const piece of pieces) size += piece.length
    this.sink.write(pieces)
    return size
  }

  /** Items that are bytes: many small ones share a piece, so that its size tells nothing of theirs. */
  private bare(items: ReadonlyArray<unknown>): ReadonlyArray<Uint8Array> {
    for (const item of items) {
      if (item instanceof Uint8Array && item.length > this.maxItem) throw new ItemTooLarge(item.length, this.maxItem)
    }
    return this.codec.items.encodeMany(items)
  }

  private checked(pieces: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> {
    for (const piece of pieces) if (piece.length > this.maxItem) this.checkSize(piece)
    return pieces
  }

  private checkSize(piece: Uint8Array): void {
    eachMessage(piece, ({ length }) => {
      if (length > this.maxItem) throw new ItemTooLarge(length, this.maxItem)
    })
  }

  private readonly room: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.sink.isReady) return resume(Effect.void)
    this.resume = () => resume(Effect.void)
    return Effect.sync(() => {
      this.resume = undefined
    })
  })
}

/**
 * `Channel.toPullScoped`, without loading a tenth of Effect into runners that have no streams: who makes a stream has
 * loaded it.
 */
const pullOf = ({ channel }: Streaming, scope: Scope.Scope): Effect.Effect<Pulled, never, unknown> =>
  (channel as unknown as Transforming).transform(Cause.done(), scope)

interface Transforming {
  readonly transform: (upstream: Pull.Pull<never>, scope: Scope.Scope) => Effect.Effect<Pulled, never, unknown>
}
