/** How one end of a placed service answers the requests of the other: each in a fiber and a Scope of its own. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Rpc from "effect/rpc/Rpc"
import * as Scope from "effect/Scope"
import type { AnyEffect } from "../../function/AnyEffect.ts"
import * as CallSpan from "../../function/CallSpan.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { GroupFunction } from "../../function/GroupFunctions.ts"
import type { Channel } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import { decodeHead, type RequestHead } from "../../wire/Request.ts"
import { callerOf, withExtras } from "../ExtrasReceived.ts"
import { Handler, type Pump } from "../GroupServer.ts"
import { compileAnswers, type Served } from "../Served.ts"
import { ServedRequest } from "../ServedRequest.ts"
import * as PeerWire from "./PeerWire.ts"
import { Outlet, type Sink } from "../StreamServer.ts"

/** Bytes of items of one stream that may be under way. */
const window = 128 * 1024

interface Procedure {
  readonly served: Served
  readonly handler: Handler
}

let clients = 0

export class PeerServer {
  /** The context of all requests. */
  readonly context: Context.Context<never>
  readonly channel: Channel
  /** Largest result or item, in bytes. */
  readonly limit: number
  readonly isTraced: boolean
  /** Whether the session is over: nothing is answered any more. */
  isOver = false
  private readonly open = new Map<number, PeerRequest>()
  private readonly procedures: ReadonlyArray<Procedure>
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

  /** Serves a request, whose bytes hold only now. Returns false for bytes that are none. */
  request(id: number, body: Buffer, owned: boolean): boolean {
    const head = decodeHead(body)
    const procedure = head === undefined ? undefined : this.procedures[head.functionIndex]
    if (head === undefined || procedure === undefined || this.open.has(id)) return false
    if (this.isOver) return true
    const request = new PeerRequest(this, id, procedure)
    this.isInside = true
    const exit = request.begin(head, body.subarray(head.end), owned)
    this.isInside = false
    // a request that ends at once and has nothing to close cannot be cancelled: nobody needs to find it
    if (exit === undefined || !request.isPlain) this.open.set(id, request)
    // the first steps of the request have ended the session
    if (this.isOver) request.stop()
    if (exit !== undefined) request.ended(exit)
    return true
  }

  /** Resumes streams: there is room in the channel again. */
  ready(): void {
    for (const request of this.open.values()) request.resume()
  }

  /** Counts items of a stream that were taken. */
  granted(id: number, bytes: number): void {
    const request = this.open.get(id)
    if (request === undefined) return
    request.ahead -= bytes
    if (this.channel.isReady) request.resume()
  }

  /** Interrupts a request, whose requester waits for nothing but its end. */
  cancel(id: number): void {
    const request = this.open.get(id)
    if (request === undefined) return
    request.isCancelled = true
    request.stop()
  }

  /** Takes out a request that has its answer. */
  over(id: number): void {
    this.open.delete(id)
    if (this.open.size === 0) this.settled?.()
  }

  /** Answers nothing any more: interrupts what runs. */
  interrupt(): void {
    this.isOver = true
    for (const request of this.open.values()) request.stop()
  }

  /** Waits until nothing runs. */
  readonly idle: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.open.size === 0 && !this.isInside) return resume(Effect.void)
    this.settled = () => resume(Effect.void)
  })
}

/** One request, from its first step to its final message. */
class PeerRequest extends ServedRequest implements Sink {
  /** Bytes of items that have not been taken. */
  ahead = 0
  private outlet: Outlet | undefined = undefined
  private readonly server: PeerServer
  private readonly id: number
  private readonly handler: Handler

  constructor(server: PeerServer, id: number, { handler, served }: Procedure) {
    super(served)
    this.server = server
    this.id = id
    this.handler = handler
  }

  protected get around(): Context.Context<never> {
    return this.server.context
  }

  protected get isSessionOver(): boolean {
    return this.server.isOver
  }

  protected get limit(): number {
    return this.server.limit
  }

  /** Runs the handler up to its first wait. Returns its exit if it has ended by then, which the caller passes to `ended`. */
  begin(head: RequestHead, bytes: Buffer, owned: boolean): Exit.Exit<unknown, unknown> | undefined {
    let context: Context.Context<never> = Context.add(this.server.context, Scope.Scope, this.scope)
    if (head.extras !== undefined) context = withExtras(context, head.extras)
    const beginSpan = this.server.isTraced
      ? (context: Context.Context<never>) =>
          CallSpan.begin(context, `${this.served.fn.name}.run`, "server", callerOf(head.span))
      : undefined
    return this.run(context, head.span, beginSpan, this.handle(bytes, owned))
  }

  private handle(bytes: Buffer, owned: boolean): AnyEffect {
    const { codec, fn } = this.served
    const pump = fn.stream ? this.pump() : undefined
    try {
      compileAnswers(codec)
      if (codec.payload.isSync) return this.handler.run(codec.payload.decode(bytes, owned), pump)
      const own = owned ? bytes : Buffer.from(bytes)
      return Effect.flatMap(Effect.orDie(codec.payload.decodeEffect(own, true)), (payload) =>
        this.handler.run(payload, pump)
      )
    } catch (defect) {
      return Effect.die(defect)
    }
  }

  /** Sends items of a stream. */
  write(pieces: ReadonlyArray<Uint8Array>): void {
    for (const { length } of pieces) this.ahead += length
    if (!this.server.isOver) PeerWire.send(this.server.channel, Kind.ItemsResponse, this.id, pieces)
  }

  get isReady(): boolean {
    return this.ahead < window && this.server.channel.isReady
  }

  private pump(): Pump {
    const outlet = (this.outlet = new Outlet(this, this.served.codec, this.limit))
    return (stream) => outlet.run(stream)
  }

  /** Goes on with a stream whose items have been taken. */
  resume(): void {
    if (this.ahead < window) this.outlet?.ready()
  }

  protected send(kind: Kind, body: Uint8Array): void {
    if (!this.server.isOver) PeerWire.send(this.server.channel, kind, this.id, [body])
  }

  protected leave(): void {
    this.server.over(this.id)
  }
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
