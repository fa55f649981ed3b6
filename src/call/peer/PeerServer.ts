/** How one end of a placed service answers the requests of the other: each in a fiber and a Scope of its own. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Rpc from "effect/rpc/Rpc"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as CallSpan from "../../function/CallSpan.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { GroupFunction } from "../../function/GroupFunctions.ts"
import type { Channel } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import { decodeHead, type RequestHead } from "../../wire/Request.ts"
import * as Answer from "../Answer.ts"
import { callerOf, withExtras } from "../ExtrasReceived.ts"
import { Handler } from "../GroupServer.ts"
import type { Served } from "../Served.ts"
import * as PeerWire from "./PeerWire.ts"
import { Outlet, type Sink } from "../StreamServer.ts"

/** Bytes of items of one stream that may be under way. */
const window = 128 * 1024

interface Procedure {
  readonly served: Served
  readonly handler: Handler
}

/** A request that is not answered yet. */
interface Open {
  readonly id: number
  readonly procedure: Procedure
  readonly scope: Scope.Closeable
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  isCancelled: boolean
  /** Bytes of items that have not been taken. */
  ahead: number
  outlet: Outlet | undefined
}

let clients = 0

export class PeerServer {
  private readonly open = new Map<number, Open>()
  private readonly procedures: ReadonlyArray<Procedure>
  private readonly context: Context.Context<never>
  private readonly channel: Channel
  /** Largest result or item, in bytes. */
  private readonly limit: number
  private readonly isTraced: boolean
  private isOver = false
  /** Whether a handler runs its first steps right now, and is not in `open` yet. */
  private isInside = false
  private settled: (() => void) | undefined

  constructor(
    functions: ReadonlyArray<GroupFunction>,
    context: Context.Context<never>,
    channel: Channel,
    limit: number
  ) {
    const client = new Rpc.ServerClient(clients++)
    this.context = withBuilt(functions, context)
    this.procedures = functions.map((fn) => ({
      served: { fn: fn as never, codec: FunctionCodec.of(fn), open: undefined },
      handler: new Handler(fn.rpc, client)
    }))
    this.channel = channel
    this.limit = limit
    this.isTraced = CallSpan.isTraced(context)
  }

  /** Serves a request, whose bytes hold only now; false when it is none. */
  request(id: number, body: Buffer, owned: boolean): boolean {
    const head = decodeHead(body)
    const procedure = head === undefined ? undefined : this.procedures[head.functionIndex]
    if (head === undefined || procedure === undefined || this.open.has(id)) return false
    if (this.isOver) return true
    const scope = Scope.makeUnsafe()
    const open: Open = { id, procedure, scope, fiber: undefined, isCancelled: false, ahead: 0, outlet: undefined }
    const context = this.contextOf(open, head)
    this.isInside = true
    const fiber = Effect.runForkWith(context as Context.Context<unknown>)(
      this.run(open, body.subarray(head.end), owned)
    )
    this.isInside = false
    const exit = fiber.pollUnsafe()
    const { error, success } = procedure.served.codec
    // one that ends at once, with nothing to close and nothing to wait for, cannot be cancelled: nobody need find it
    if (exit !== undefined && scope.state._tag === "Empty" && success.isSync && error.isSync) {
      this.ended(open, exit, context)
      return true
    }
    open.fiber = fiber
    this.open.set(id, open)
    // by its own first steps
    if (this.isOver) fiber.interruptUnsafe()
    if (exit !== undefined) this.ended(open, exit, context)
    else fiber.addObserver((exit) => this.ended(open, exit, context))
    return true
  }

  private contextOf({ procedure, scope }: Open, head: RequestHead): Context.Context<never> {
    let context: Context.Context<never> = Context.add(this.context, Scope.Scope, scope)
    if (head.extras !== undefined) context = withExtras(context, head.extras)
    if (this.isTraced) {
      const span = CallSpan.begin(context, `${procedure.served.fn.name}.run`, "server", callerOf(head.span))
      return Context.add(context, Tracer.ParentSpan, span)
    }
    const caller = callerOf(head.span)
    return caller === undefined ? context : Context.add(context, Tracer.ParentSpan, caller)
  }

  private run(open: Open, bytes: Buffer, owned: boolean): Effect.Effect<unknown, unknown, unknown> {
    const { codec, fn } = open.procedure.served
    const pump = fn.stream ? this.outlet(open) : undefined
    try {
      if (codec.payload.isSync) return open.procedure.handler.run(codec.payload.decode(bytes, owned), pump)
      const own = owned ? bytes : Buffer.from(bytes)
      return Effect.flatMap(Effect.orDie(codec.payload.decodeEffect(own, true)), (payload) =>
        open.procedure.handler.run(payload, pump)
      )
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  private outlet(open: Open) {
    const { channel } = this
    const sink: Sink = {
      write: (pieces) => {
        for (const { length } of pieces) open.ahead += length
        if (!this.isOver) PeerWire.send(channel, Kind.ItemsResponse, open.id, pieces)
      },
      get isReady() {
        return open.ahead < window && channel.isReady
      }
    }
    const outlet = (open.outlet = new Outlet(sink, open.procedure.served.codec, this.limit))
    return (stream: Parameters<Outlet["run"]>[0]) => outlet.run(stream)
  }

  /** There is room in the channel again. */
  ready(): void {
    for (const { ahead, outlet } of this.open.values()) if (ahead < window) outlet?.ready()
  }

  /** Items of a stream were taken. */
  granted(id: number, bytes: number): void {
    const open = this.open.get(id)
    if (open === undefined) return
    open.ahead -= bytes
    if (open.ahead < window && this.channel.isReady) open.outlet?.ready()
  }

  /** Its requester waits for nothing but its end. */
  cancel(id: number): void {
    const open = this.open.get(id)
    if (open === undefined) return
    open.isCancelled = true
    open.fiber?.interruptUnsafe()
  }

  private ended(open: Open, exit: Exit.Exit<unknown, unknown>, context: Context.Context<never>): void {
    if (this.isTraced) {
      CallSpan.end(context, Context.getUnsafe(context, Tracer.ParentSpan) as Tracer.Span, exit)
    }
    const closing = Scope.closeUnsafe(open.scope, exit)
    if (closing === undefined) return this.conclude(open, exit)
    Effect.runForkWith(this.context)(closing).addObserver((closed) =>
      this.conclude(open, Exit.isFailure(closed) && Exit.isSuccess(exit) ? closed : exit)
    )
  }

  private conclude(open: Open, exit: Exit.Exit<unknown, unknown>): void {
    const isStopped = open.isCancelled || this.isOver
    const [kind, body] = Answer.of(open.procedure.served, exit, isStopped, open.isCancelled)
    if (body instanceof Uint8Array) return this.reply(open, kind, body)
    const fiber = Effect.runForkWith(this.context as Context.Context<unknown>)(body)
    open.fiber = fiber
    fiber.addObserver((encoded) => {
      if (Exit.isSuccess(encoded)) return this.reply(open, kind, encoded.value)
      const isOurs = Cause.hasInterruptsOnly(encoded.cause) && (open.isCancelled || this.isOver)
      this.reply(open, ...(isOurs ? Answer.interrupted : Answer.died(Cause.squash(encoded.cause))))
    })
  }

  private reply({ id }: Open, kind: Kind, body: Uint8Array): void {
    this.open.delete(id)
    if (!this.isOver) {
      if (body.length > this.limit && kind !== Kind.Defect) {
        const [refused, why] = Answer.tooLarge(body.length, this.limit)
        PeerWire.send(this.channel, refused, id, [why])
      } else PeerWire.send(this.channel, kind, id, [body])
    }
    if (this.open.size === 0) this.settled?.()
  }

  /** Answers nothing any more: interrupts what runs. */
  interrupt(): void {
    this.isOver = true
    for (const { fiber } of this.open.values()) fiber?.interruptUnsafe()
  }

  /** Waits until nothing runs. */
  readonly idle: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.open.size === 0 && !this.isInside) return resume(Effect.void)
    this.settled = () => resume(Effect.void)
  })
}

/**
 * With all that the handlers were built with, so that no request has to bring it; without, where two of them were built
 * with different values of one service.
 */
const withBuilt = (
  functions: ReadonlyArray<GroupFunction>,
  context: Context.Context<never>
): Context.Context<never> => {
  let all = context
  for (const { rpc } of functions) {
    const built = (context.mapUnsafe.get(rpc.key) as Rpc.Handler<string> | undefined)?.context
    if (built === undefined) continue
    for (const [key, value] of built.mapUnsafe) {
      const other = all.mapUnsafe.get(key)
      if (other !== undefined && other !== value && !context.mapUnsafe.has(key)) return context
    }
    all = Context.merge(built, all)
  }
  return all
}
