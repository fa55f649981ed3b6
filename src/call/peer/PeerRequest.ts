/** A request of the other end of a placed service, from its first step to its final message. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { AnyEffect } from "../../function/AnyEffect.ts"
import * as CallSpan from "../../function/CallSpan.ts"
import type { Channel } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import type { RequestHead } from "../../wire/Request.ts"
import { callerOf, withExtras, withRunnerExtras } from "../ExtrasReceived.ts"
import type { Handler, Pump } from "../GroupServer.ts"
import { compileAnswers, type Served } from "../Served.ts"
import { type RequestSession, ServedRequest } from "../ServedRequest.ts"
import { Outlet, type Sink } from "../StreamServer.ts"
import * as PeerWire from "./PeerWire.ts"

/** A function of the service, and the code that answers its requests. */
export interface Procedure {
  readonly served: Served
  readonly handler: Handler
}

/** The session of the requests of one placed service. */
export interface PeerSession extends RequestSession {
  readonly channel: Channel
  readonly isTraced: boolean
  /** The id of the runner whose requests these are, where the owner of a service answers them. */
  readonly runner: (() => string) | undefined
  /** Whether so many answers wait for the other end that no more are encoded. */
  readonly isBacklogged: boolean
  /** Counts a request that is open after its first steps. */
  keep(request: PeerRequest): void
  /** Runs `say` once fewer answers wait for the other end. */
  whenTaken(say: () => void): void
  /** Whether a stream with that many bytes in transit may send items. */
  mayFollow(ahead: number): boolean
  /** Counts sent items of a stream or, with a negative number, items that the other end has taken. */
  follow(bytes: number): void
  /** Removes a request that has been answered. */
  over(request: PeerRequest): void
}

export class PeerRequest extends ServedRequest<PeerSession> implements Sink {
  /** Bytes of items that have not been taken. */
  ahead = 0
  private outlet: Outlet | undefined = undefined
  /** Bytes of its payload. */
  readonly size: number
  private readonly handler: Handler

  constructor(session: PeerSession, id: number, { handler, served }: Procedure, size: number) {
    super(session, id, served)
    this.size = size
    this.handler = handler
  }

  /**
   * Runs the handler up to its first wait. If the handler has ended by then, returns its exit, which the caller must pass to
   * `ended`.
   */
  begin(head: RequestHead, bytes: Buffer, owned: boolean): Exit.Exit<unknown, unknown> | undefined {
    let context: Context.Context<never> = Context.add(this.session.around, Scope.Scope, this.scope)
    if (head.extras !== undefined) {
      const { runner } = this.session
      context =
        runner === undefined ? withExtras(context, head.extras) : withRunnerExtras(context, head.extras, runner())
    }
    const beginSpan = this.session.isTraced
      ? (context: Context.Context<never>) =>
          CallSpan.begin(context, `${this.served.fn.name}.run`, "server", head.span && callerOf(head.span))
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
    let size = 0
    for (const { length } of pieces) size += length
    this.ahead += size
    this.session.follow(size)
    if (!this.session.isStopping) PeerWire.send(this.session.channel, Kind.ItemsResponse, this.id, pieces)
  }

  get isReady(): boolean {
    return this.session.mayFollow(this.ahead) && this.session.channel.isReady
  }

  private pump(): Pump {
    const outlet = (this.outlet = new Outlet(this, this.served.codec, this.session.maxResult))
    return (stream) => outlet.run(stream)
  }

  /** Goes on with a stream whose items have been taken. */
  resume(): void {
    if (this.session.mayFollow(this.ahead)) this.outlet?.ready()
  }

  /** Encodes no result for a peer that does not take the answers that already wait. */
  protected override conclude(exit: Exit.Exit<unknown, unknown>): void {
    const { session } = this
    if (!session.isBacklogged || session.isStopping) return super.conclude(exit)
    session.keep(this)
    session.whenTaken(() => this.conclude(exit))
  }

  protected send(kind: Kind, body: Uint8Array): void {
    if (!this.session.isStopping) PeerWire.send(this.session.channel, kind, this.id, [body])
  }

  protected leave(): void {
    this.session.over(this)
  }
}
