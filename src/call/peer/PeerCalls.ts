/** The requests of one end of a placed service to the other end, until each has its exit. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as CallSpan from "../../function/CallSpan.ts"
import { FlameError, PayloadTooLarge, type Reason } from "../../error/FlameError.ts"
import { confine } from "../../error/Unhandled.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { GroupFunction } from "../../function/GroupFunctions.ts"
import * as Propagate from "../../function/Propagate.ts"
import type { Channel } from "../../wire/Channel.ts"
import { isFinal, Kind } from "../../wire/Frame.ts"
import { OpenIds } from "../../wire/OpenIds.ts"
import { encodeHead } from "../../wire/Request.ts"
import * as ExtrasSent from "../ExtrasSent.ts"
import { Items } from "../Items.ts"
import * as Outcome from "../Outcome.ts"
import * as Refusal from "../Refusal.ts"
import { tellStopped, untilStopped } from "../StopWaiters.ts"
import * as PeerWire from "./PeerWire.ts"
import type { AnyEffect } from "../../function/AnyEffect.ts"

type Caller = Fiber.Fiber<unknown, unknown>

interface Open {
  readonly id: number
  readonly fn: GroupFunction
  readonly codec: FunctionCodec.FunctionCodec
  readonly tell: (exit: Outcome.CallExit) => void
  readonly items: Items | undefined
  /** Bytes of the payload, which the channel counts as sent. */
  readonly size: number
  readonly sentBefore: number
  /** Bytes of its items for which no new credit was granted. */
  ahead: number
  /** The fibers that wait until the other end has stopped the request, or the session is over. */
  stopped: Array<() => void> | undefined
  isGivenUp: boolean
}

/** Options of one end. */
export interface PeerCallsOptions {
  readonly functions: ReadonlyArray<GroupFunction>
  readonly channel: () => Channel
  readonly runner: () => string
  /** Largest payload, in bytes. */
  readonly limit: number
  /** Milliseconds that an interrupted caller waits for the other end. */
  readonly cancelGrace: number
  /** The error of a request that gets no answer. `mayHaveRun`: the request was sent before the end. */
  readonly over: (fn: GroupFunction, mayHaveRun: boolean) => Reason
  /** Whether requests go from a runner to an owner, who takes neither log level nor References from it. */
  readonly isTowardsOwner: boolean
}

export class PeerCalls {
  private readonly open = new OpenIds<Open>()
  private readonly indices: ReadonlyMap<GroupFunction, number>
  private readonly options: PeerCallsOptions
  private plainContext: Context.Context<never> | undefined
  private isOver = false
  /** Bytes of the heads and payloads of open requests, and of items of all streams for which no new credit was granted. */
  private bytes = 0
  private aheadOfAll = 0
  /** Requests that wait until fewer are open. */
  private readonly waiting = new Set<() => void>()

  constructor(options: PeerCallsOptions) {
    this.options = options
    this.indices = new Map(options.functions.map((fn, index) => [fn, index]))
  }

  /** Makes a request for a fiber. A stream returns a Pull, and its request belongs to the Scope. */
  readonly call = (caller: Caller, fn: GroupFunction, payload: unknown): AnyEffect => {
    const codec = FunctionCodec.of(fn)
    return codec.encodePayload(payload, (bytes) => this.request(caller, fn, codec, bytes))
  }

  private request(caller: Caller, fn: GroupFunction, codec: FunctionCodec.FunctionCodec, bytes: Uint8Array): AnyEffect {
    if (this.isOver) return fail(this.options.over(fn, false))
    const { limit } = this.options
    if (bytes.length > limit) {
      return fail(new PayloadTooLarge({ function: fn.name, size: bytes.length, limit, direction: "payload" }))
    }
    if (this.isFull) {
      return Effect.flatMap(this.room, () => this.request(caller, fn, codec, bytes))
    }
    return fn.stream ? this.stream(caller, fn, codec, bytes) : this.single(caller, fn, codec, bytes)
  }

  private get isFull(): boolean {
    return this.open.size >= PeerWire.maxOpen || this.bytes >= PeerWire.maxOpenBytes
  }

  /** Completes when fewer requests are open, or none is answered any more. */
  private readonly room: Effect.Effect<void> = Effect.callback((resume) => {
    const go = () => resume(Effect.void)
    this.waiting.add(go)
    return Effect.sync(() => this.waiting.delete(go))
  })

  private wake(count: number): void {
    for (const go of this.waiting) {
      // One that finds no room waits again, at the end of this set.
      if (count-- <= 0 || (this.isFull && !this.isOver)) return
      this.waiting.delete(go)
      // A fiber that ends at once runs observers of the program. Errors that these throw must not affect other
      // requests.
      confine(go)
    }
  }

  private single(caller: Caller, fn: GroupFunction, codec: FunctionCodec.FunctionCodec, bytes: Uint8Array): AnyEffect {
    return Effect.callback<unknown, unknown, unknown>((resume) => {
      const open = this.start(caller, fn, codec, bytes, resume, undefined)
      return Effect.suspend(() => this.interrupt(open))
    })
  }

  private stream(caller: Caller, fn: GroupFunction, codec: FunctionCodec.FunctionCodec, bytes: Uint8Array): AnyEffect {
    return Effect.uninterruptible(
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.suspend(() => {
          const items = new Items(codec)
          const open = this.start(caller, fn, codec, bytes, (exit) => items.end(exit), items)
          let taken = 0
          const consumed = (size: number) => {
            taken += size
            if (taken < PeerWire.grantAt || !this.isOpen(open)) return
            open.ahead -= taken
            this.aheadOfAll -= taken
            PeerWire.send(this.options.channel(), Kind.GrantRequest, open.id, [PeerWire.u32(taken)])
            taken = 0
          }
          items.call = { channel: { consumed } }
          const close = Effect.suspend(() => {
            items.close()
            return this.interrupt(open)
          })
          return Effect.as(Scope.addFinalizer(scope, close), items.pull)
        })
      )
    )
  }

  private start(
    caller: Caller,
    fn: GroupFunction,
    codec: FunctionCodec.FunctionCodec,
    bytes: Uint8Array,
    resume: (exit: Outcome.CallExit) => void,
    items: Items | undefined
  ): Open {
    const { context } = caller
    let tell = resume
    let head: Uint8Array
    const index = this.indices.get(fn)!
    if (context === this.plainContext && Propagate.registered.size === 0)
      head = encodeHead(index, undefined, undefined, undefined)
    else {
      const extras = this.options.isTowardsOwner ? ExtrasSent.toOwner(caller) : ExtrasSent.of(caller)
      let span = Context.getOrUndefined(context as Context.Context<Tracer.ParentSpan>, Tracer.ParentSpan)
      if (CallSpan.isTraced(context)) {
        const own = (span = CallSpan.begin(context, fn.stream ? "Flame.stream" : "Flame.call", "client"))
        own.attribute("flame.function", fn.name)
        own.attribute("flame.runner", this.options.runner())
        tell = (exit) => {
          resume(CallSpan.endWith(context, own, exit))
        }
      } else if (extras === undefined && span === undefined) this.plainContext = context
      head = encodeHead(index, undefined, span, extras)
    }
    const channel = this.options.channel()
    const open: Open = {
      id: this.open.next,
      fn,
      codec,
      tell,
      items,
      size: head.length + bytes.length,
      sentBefore: channel.sent,
      ahead: 0,
      stopped: undefined,
      isGivenUp: false
    }
    this.open.add(open)
    this.bytes += open.size
    PeerWire.send(channel, Kind.Request, open.id, [head, bytes])
    return open
  }

  /** Cancels a request, and waits for its end for at most `cancelGrace`. */
  private interrupt(open: Open): Effect.Effect<void> {
    if (!this.isOpen(open)) return Effect.void
    if (!open.isGivenUp) {
      open.isGivenUp = true
      if (!this.isOver) PeerWire.send(this.options.channel(), Kind.Cancel, open.id)
      open.tell(Exit.interrupt())
    }
    const stopped = untilStopped(open, () => !this.isOpen(open))
    return Effect.asVoid(Effect.timeoutOption(stopped, this.options.cancelGrace))
  }

  /** Whether a request has no answer. Its id may belong to another request by now. */
  private isOpen(open: Open): boolean {
    return this.open.get(open.id) === open
  }

  /** Handles a message about a request. Returns the violation, or undefined. */
  message(kind: number, id: number, body: Buffer, owned: Uint8Array | undefined): string | undefined {
    const open = this.open.get(id)
    if (open === undefined) return "an answer to nothing"
    const channel = this.options.channel()
    if (channel.unsent > 0 && open.sentBefore >= channel.sent - channel.unsent) return "an answer to an unread request"
    if (kind === Kind.ItemsResponse) return this.items(open, body, owned)
    if (!isFinal(kind)) return "a message of no known kind"
    this.open.delete(id)
    this.bytes -= open.size
    this.aheadOfAll -= open.ahead
    if (this.waiting.size > 0) this.wake(PeerWire.maxOpen - this.open.size)
    if (open.isGivenUp) tellStopped(open)
    else this.tell(open, this.read(open, kind, body, owned))
    return undefined
  }

  private items(open: Open, body: Buffer, owned: Uint8Array | undefined): string | undefined {
    if (open.items === undefined) return "items of no stream"
    if (!PeerWire.mayFollow(open.ahead, this.aheadOfAll)) return "items beyond their window"
    if (body.length > PeerWire.largestBatch && !PeerWire.isOneMessage(body)) return "several items in a large message"
    open.ahead += body.length
    this.aheadOfAll += body.length
    if (owned === undefined) open.items.batch(body)
    // Items have a length before them, also the only item of a large message.
    else open.items.take(owned, false)
    return undefined
  }

  /** Gives a request its exit. The observers of its fiber are code of the program. */
  private tell(open: Open, exit: Outcome.CallExit): void {
    confine(() => open.tell(exit))
  }

  private read({ codec, fn }: Open, kind: number, body: Buffer, owned: Uint8Array | undefined): Outcome.CallExit {
    const runner = this.options.runner()
    switch (kind) {
      case Kind.Refused:
        return Exit.fail(new FlameError({ reason: Refusal.reasonOf(fn.name, Refusal.decode(body), runner) }))
      case Kind.Interrupted:
        return Exit.fail(new FlameError({ reason: this.options.over(fn, true) }))
      case Kind.Success:
        if (fn.stream) return Exit.void
    }
    return Outcome.read(fn.name, codec, kind, body, owned, runner)
  }

  /** Fails all open requests, because the other end will not answer any more. */
  failOpen(): void {
    if (this.isOver) return
    this.isOver = true
    this.plainContext = undefined
    const open = [...this.open]
    this.open.clear()
    this.wake(Infinity)
    for (const one of open) {
      if (one.isGivenUp) tellStopped(one)
      else this.tell(one, Exit.fail(new FlameError({ reason: this.options.over(one.fn, true) })))
    }
  }
}

const fail = (reason: Reason): Effect.Effect<never, FlameError> => Effect.fail(new FlameError({ reason }))
