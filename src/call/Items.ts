/** The items of one stream on the side that takes them. They stay encoded until they are pulled. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import { confine } from "../error/Unhandled.ts"
import { FlameError } from "../error/FlameError.ts"
import type { FunctionCodec } from "../function/FunctionCodec.ts"
import { aroundItem, type Decoded } from "../schema/ItemCodec.ts"
import type { CallExit } from "./Outcome.ts"

type Chunk = readonly [unknown, ...Array<unknown>]
type Pulled = Effect.Effect<Chunk, unknown, unknown>

/** Messages that have arrived and were not pulled: a large message, or several small ones in `used` bytes. */
interface Waiting {
  messages: Uint8Array
  used: number
  readonly isSingle: boolean
}

/** Bytes up to which small messages are merged. */
const mergeLimit = 16 * 1024

/** Taken messages that are kept at most, beside half of all: dropping them one by one would move the others each time. */
const keptTaken = 16

/** The call of the items, whose channel grants more bytes as items are taken. */
export interface ItemsOf {
  readonly channel?: { readonly consumed: (bytes: number) => void } | undefined
}

export class Items {
  isBegun = false
  /** The call of the items. Set before an item can arrive. */
  call: ItemsOf | undefined
  readonly keepsLength: boolean
  readonly slack = aroundItem
  private readonly codec: FunctionCodec
  private waiting: Array<Waiting> = []
  private next = 0
  private exit: CallExit | undefined
  /** Whether an item could not be read. The exit of the call does not replace that error: items are missing. */
  private isBroken = false
  private isClosed = false
  private resume: (() => void) | undefined

  constructor(codec: FunctionCodec) {
    this.codec = codec
    this.keepsLength = !codec.isItemBare
  }

  batch(messages: Buffer): void {
    const last = this.waiting.at(-1)
    if (last !== undefined && !last.isSingle && last.used + messages.length <= mergeLimit) return merge(last, messages)
    // the link uses the view again: this is the one copy of the bytes on this side
    this.take(new Uint8Array(messages), false)
  }

  large(message: Uint8Array): void {
    this.take(message, this.codec.isItemBare)
  }

  ready(): void {}

  /** Keeps bytes that belong to this stream: items with their lengths before them, or a single item without. */
  take(messages: Uint8Array, isSingle: boolean): void {
    this.isBegun = true
    // After the end of the budget items were dropped, so later items would follow a gap.
    if (this.isClosed || this.exit !== undefined) return
    this.waiting.push({ messages, used: messages.length, isSingle })
    this.wake()
  }

  /** Takes the exit of the call. Items that came before are pulled first, except at the end of the budget. */
  end(exit: CallExit): void {
    if (this.isBroken) return
    this.exit = exit
    if (isTimeout(exit)) this.drop()
    this.wake()
  }

  /** Ends the items with the Scope that they belong to. A fiber that still waits for some is interrupted. */
  close(): void {
    this.isClosed = true
    this.drop()
    this.exit ??= Exit.interrupt()
    this.wake()
  }

  private drop(): void {
    this.waiting = []
    this.next = 0
  }

  private wake(): void {
    const { resume } = this
    this.resume = undefined
    if (resume !== undefined) confine(resume)
  }

  /** Pulls the items that came together. Ends with `Done` after the last. */
  readonly pull: Pull.Pull<Chunk, unknown, void, unknown> = Effect.suspend(() => this.pulled())

  private pulled(): Pulled {
    const first = this.waiting[this.next]
    if (first !== undefined) {
      if (++this.next === this.waiting.length) this.drop()
      else if (this.next >= keptTaken && this.next * 2 >= this.waiting.length) {
        // Messages of a stream whose consumer never catches up would otherwise be kept after they were taken.
        this.waiting.splice(0, this.next)
        this.next = 0
      }
      const { isSingle, messages, used } = first
      return this.decode(used === messages.length ? messages : messages.subarray(0, used), isSingle)
    }
    const { exit } = this
    if (exit !== undefined) return Effect.flatMap(exit, () => Cause.done())
    return Effect.callback((resume) => {
      this.resume = () => resume(this.pull)
      return Effect.sync(() => {
        this.resume = undefined
      })
    })
  }

  private decode(messages: Uint8Array, isSingle: boolean): Pulled {
    const { codec } = this
    this.call?.channel?.consumed(messages.length)
    if (isSingle) return Exit.succeed([codec.success.decode(messages, true)])
    if (codec.success.isSync) return this.decoded(codec.items.decodeMany(messages))
    return Effect.flatMap(codec.items.decodeManyEffect(messages), (decoded) => this.decoded(decoded))
  }

  /** Passes the items on. The next pull after them fails if an item could not be read. */
  private decoded({ failure, items }: Decoded): Pulled {
    if (failure !== undefined) {
      this.isBroken = true
      this.drop()
      this.exit = failure
    }
    // A message may hold no item, and a pull must return one.
    return items.length === 0 ? this.pulled() : Exit.succeed(items as unknown as Chunk)
  }
}

/** Appends small messages to the last ones: many pieces must not cost more memory than their bytes. */
const merge = (last: Waiting, messages: Uint8Array): void => {
  const used = last.used + messages.length
  if (used > last.messages.length) {
    const larger = new Uint8Array(Math.min(mergeLimit, Math.max(256, 2 * used)))
    larger.set(last.messages.subarray(0, last.used))
    last.messages = larger
  }
  last.messages.set(messages, last.used)
  last.used = used
}

const isTimeout = (exit: CallExit): boolean => {
  if (!Exit.isExit(exit) || Exit.isSuccess(exit)) return false
  const reason = exit.cause.reasons[0]
  return reason?._tag === "Fail" && reason.error instanceof FlameError && reason.error.reason._tag === "TimedOut"
}
