/** Answers the requests of the other end of a placed service, each in a fiber and a Scope of its own. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Rpc from "effect/rpc/Rpc"
import * as CallSpan from "../../function/CallSpan.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import type { GroupFunction } from "../../function/GroupFunctions.ts"
import type { Channel } from "../../wire/Channel.ts"
import { decodeHead, type RequestHead } from "../../wire/Request.ts"
import { Handler } from "../GroupServer.ts"
import { PeerRequest, type PeerSession, type Procedure } from "./PeerRequest.ts"
import * as PeerWire from "./PeerWire.ts"

/** A request that has arrived and is not started yet. */
interface Late {
  readonly request: PeerRequest
  readonly head: RequestHead
  readonly payload: Buffer
}

let clients = 0

export class PeerServer implements PeerSession {
  /** The context of all requests. */
  readonly around: Context.Context<never>
  readonly channel: Channel
  /** Largest result or item, in bytes. */
  readonly maxResult: number
  readonly isTraced: boolean
  /** Whether the session is over: nothing is answered any more. */
  isStopping = false
  private readonly open = new Map<number, PeerRequest>()
  private readonly procedures: ReadonlyArray<Procedure>
  /** Whether a handler runs its first steps in this turn: its request is in `open` only after them. */
  private isInside = false
  private settled: (() => void) | undefined
  /** The id of the runner whose requests these are, where the owner of a service answers them. */
  readonly runner: (() => string) | undefined
  /** Bytes of heads and payloads of open requests. */
  private bytes = 0
  /** Bytes of items of all streams that were not taken. */
  private aheadOfAll = 0
  /** Requests that wait until answers have left or the event loop has turned. */
  private readonly late: Array<Late> = []
  /** Answers that wait until earlier ones have been sent. */
  private readonly unsaid: Array<() => void> = []
  private begunInTurn = 0
  private isResting = false

  /** `runner` is given where the owner of a service answers its runner: such requests are not trusted. */
  constructor(
    functions: ReadonlyArray<GroupFunction>,
    context: Context.Context<never>,
    channel: Channel,
    maxResult: number,
    runner?: () => string
  ) {
    this.runner = runner
    const client = new Rpc.ServerClient(clients++)
    this.around = withBuilt(functions, context)
    this.procedures = functions.map((fn) => ({
      served: { fn: fn as never, codec: FunctionCodec.of(fn), open: undefined },
      handler: new Handler(fn.rpc, client)
    }))
    this.channel = channel
    this.maxResult = maxResult
    this.isTraced = CallSpan.isTraced(context)
  }

  /** Serves a request, whose bytes are valid only in this turn. Returns the violation, or undefined. */
  request(id: number, body: Buffer, owned: boolean): string | undefined {
    const head = decodeHead(body)
    const procedure = head === undefined ? undefined : this.procedures[head.functionIndex]
    if (head === undefined || procedure === undefined || this.open.has(id)) return "a request that is not understood"
    if (this.isStopping) return undefined
    if (this.open.size >= PeerWire.maxOpen) return "more requests than may be open"
    if (this.bytes >= PeerWire.maxOpenBytes) return "requests with too large payloads"
    const payload = body.subarray(head.end)
    // With its head: the trace and the extras of a request are kept for as long as it is open.
    const request = new PeerRequest(this, id, procedure, body.length)
    if (this.mayBegin()) this.begin(request, head, payload, owned)
    else {
      this.keep(request)
      this.late.push({ request, head, payload: owned ? payload : Buffer.from(payload) })
    }
    return undefined
  }

  /**
   * Whether a request may start. A peer that sends too many requests, or takes no answers, has to wait. Its requests
   * are kept, because their number is bounded.
   */
  private mayBegin(): boolean {
    return !this.isResting && this.late.length === 0 && !this.isBacklogged
  }

  /** Whether so many answers wait for the other end that no more are encoded. */
  get isBacklogged(): boolean {
    return this.channel.unsent >= PeerWire.mostUndelivered
  }

  private begin(request: PeerRequest, head: RequestHead, payload: Buffer, owned: boolean): void {
    if (++this.begunInTurn >= PeerWire.requestsPerTurn) this.rest()
    this.isInside = true
    const exit = request.begin(head, payload, owned)
    this.isInside = false
    // A request that has ended and has nothing to close cannot be cancelled, so it need not be found by id.
    if (exit === undefined || !request.isPlain) this.keep(request)
    // the first steps of the request have ended the session
    if (this.isStopping) request.stop()
    if (exit !== undefined) request.ended(exit)
  }

  /** Lets the event loop turn. */
  private rest(): void {
    this.begunInTurn = 0
    this.isResting = true
    this.channel.later(() => {
      this.isResting = false
      this.beginLate()
    })
  }

  private beginLate(): void {
    while (this.late.length > 0 && !this.isResting && !this.isBacklogged) {
      const { head, payload, request } = this.late.shift()!
      this.begin(request, head, payload, true)
    }
  }

  /** Counts a request that is open after its first steps. */
  keep(request: PeerRequest): void {
    if (this.open.has(request.id)) return
    this.open.set(request.id, request)
    this.bytes += request.size
  }

  /** Runs `say` once fewer answers wait for the other end. */
  whenTaken(say: () => void): void {
    this.unsaid.push(say)
  }

  /** Uses new room in the channel: first for answers, then for waiting requests, then for items. */
  ready(): void {
    while (this.unsaid.length > 0 && !this.isBacklogged) this.unsaid.shift()!()
    this.beginLate()
    this.resumeStreams()
  }

  private resumeStreams(): void {
    for (const request of this.open.values()) request.resume()
  }

  /** Whether a stream with that many bytes in transit may send items. */
  mayFollow(ahead: number): boolean {
    return PeerWire.mayFollow(ahead, this.aheadOfAll)
  }

  /** Counts sent items of a stream or, with a negative number, items that the other end has taken. */
  follow(bytes: number): void {
    const wasFull = !this.mayFollow(PeerWire.grantAt)
    this.aheadOfAll += bytes
    if (wasFull && this.mayFollow(PeerWire.grantAt) && this.channel.isReady) this.resumeStreams()
  }

  /** Counts items that the other end has taken. Returns false if it claims more than were sent. */
  granted(id: number, bytes: number): boolean {
    const request = this.open.get(id)
    if (request === undefined) return true
    if (bytes > request.ahead) return false
    request.ahead -= bytes
    this.follow(-bytes)
    if (this.channel.isReady) request.resume()
    return true
  }

  /** Interrupts a request. The requester waits only for its end. */
  cancel(id: number): void {
    const request = this.open.get(id)
    if (request === undefined) return
    request.isCancelled = true
    const at = this.late.findIndex((late) => late.request === request)
    if (at < 0) return request.stop()
    this.late.splice(at, 1)
    request.ended(Exit.interrupt())
  }

  /** Removes a request that has been answered. */
  over(request: PeerRequest): void {
    if (this.open.delete(request.id)) this.bytes -= request.size
    if (request.ahead > 0) this.follow(-request.ahead)
    if (this.open.size === 0) this.settled?.()
  }

  /** Ends the answers, and interrupts the handlers. */
  interrupt(): void {
    this.isStopping = true
    for (const { request } of this.late.splice(0)) request.ended(Exit.interrupt())
    for (const say of this.unsaid.splice(0)) say()
    for (const request of this.open.values()) request.stop()
  }

  /** Waits until no handler runs. */
  readonly idle: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.open.size === 0 && !this.isInside) return resume(Effect.void)
    this.settled = () => resume(Effect.void)
  })
}

/**
 * Adds the services that the handlers were built with, so that no request has to add them. Adds none of them if two handlers
 * were built with different values of one service.
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
