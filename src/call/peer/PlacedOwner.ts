/**
 * The owner's end of a placed service: waits until the service is built, gives its client, and ends the service with the
 * Scope of its owner. The owner is the app (`pool/runtime/ServicePlacing.ts`) or a function (`runner/NestedChannels.ts`).
 */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as Scope from "effect/Scope"
import { FlameError, type Reason, RunnerLost, ServiceEnded } from "../../error/FlameError.ts"
import { confine } from "../../error/Unhandled.ts"
import * as GroupClient from "../../function/GroupClient.ts"
import * as GroupFunctions from "../../function/GroupFunctions.ts"
import type { AnyService } from "../../function/PlacedService.ts"
import type { Channel, ChannelHandlers } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import type { CallExit } from "../Outcome.ts"
import { Peer } from "./Peer.ts"
import { PeerServer } from "./PeerServer.ts"
import * as Endings from "./ServiceEnd.ts"

type Client = object
type Ended = Exit.Exit<void, FlameError>

/** The call by which the service is placed. */
export interface PlacingCall {
  /** Id of the pool. */
  readonly pool: string
  /** The largest message in either direction, in bytes. */
  readonly limit: number
  /** Milliseconds that the close of the Scope waits for an interrupted request. */
  readonly cancelGrace: number
  readonly channel: () => Channel
  /** Name of the runner, `?` where it is not known. */
  readonly runner: () => string
  /** Begins the call. Its exit goes to `PlacedOwner.over`. */
  readonly begin: () => void
  /** The service is built: the budget of the call is over. */
  readonly built: () => void
  /** Ends the call, and waits for its end. `isBuilt`: the owner has had its service. */
  readonly end: (isBuilt: boolean) => Effect.Effect<void>
  /** The runner of the service has broken the protocol. */
  readonly violate: (what: string) => void
}

export class PlacedOwner implements ChannelHandlers {
  isBegun = false
  readonly slack: number
  /** Completes when the service is built. Fails with the error of its construction. */
  private readonly settled = Deferred.makeUnsafe<void, unknown>()
  private readonly ended = Deferred.makeUnsafe<void, FlameError>()
  private readonly service: AnyService
  private readonly context: Context.Context<never>
  private readonly call: PlacingCall
  private readonly peer: Peer
  /** Whether the call has its exit. */
  private isTold = false
  /** The reason that the service has ended. */
  private why: Reason | undefined

  /** `context` answers the requests of the service. */
  constructor(service: AnyService, context: Context.Context<never>, call: PlacingCall) {
    this.service = service
    this.context = context
    this.call = call
    this.peer = new Peer({
      functions: GroupFunctions.of(service.group),
      channel: call.channel,
      runner: call.runner,
      limit: call.limit,
      isTowardsOwner: false,
      cancelGrace: call.cancelGrace,
      over: (fn, mayHaveRun) => this.reason(fn.name, mayHaveRun),
      signal: (kind) => kind === Kind.Welcome && this.built(),
      violate: (what) => call.violate(`${what} for service ${service.name}`)
    })
    this.slack = this.peer.slack
  }

  /** Places the service, and gives its client, which belongs to the Scope. */
  get place(): Effect.Effect<Client, unknown, Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.suspend(() => {
          this.call.begin()
          return Scope.addFinalizer(scope, this.close).pipe(
            Effect.andThen(restore(Deferred.await(this.settled))),
            Effect.andThen(this.client),
            Effect.onError(() => this.close)
          )
        })
      )
    )
  }

  /** Makes the client of a service that is built. */
  private get client(): Effect.Effect<Client> {
    const group = this.service.group as unknown as RpcGroup.RpcGroup<Rpc.Any>
    return Effect.map(GroupClient.make(group, this.peer.calls.call) as Effect.Effect<Client>, (client) =>
      Endings.set(client, Deferred.await(this.ended))
    )
  }

  /** Ends the service with its owner's Scope, and waits for its finalizers for at most `cancelGrace`. */
  private get close(): Effect.Effect<void> {
    return Effect.suspend(() => {
      // a service that ended by itself or by its budget has told its owner: finalizers that still run do so in the background
      if (this.isTold) return Effect.void
      this.finish(Exit.void, this.endedBecause("the Scope of its owner is closed"))
      return this.call.end(this.isBegun)
    })
  }

  batch(messages: Buffer): void {
    this.answering().batch(messages)
  }

  large(message: Uint8Array): void {
    this.answering().large(message)
  }

  ready(): void {
    this.peer.ready()
  }

  leave(): void {
    if (this.isBegun && this.why === undefined) this.peer.say(Kind.Draining)
  }

  private built(): void {
    this.isBegun = true
    this.call.built()
    confine(() => Deferred.doneUnsafe(this.settled, Exit.void))
  }

  /** The peer, which answers from the first message on: a service may ask its owner while it is built. */
  private answering(): Peer {
    if (this.peer.server === undefined && this.why === undefined) {
      const { offers } = this.service
      const offered = offers === undefined ? [] : GroupFunctions.of(offers)
      this.peer.server = new PeerServer(offered, this.context, this.call.channel(), this.call.limit, this.call.runner)
    }
    return this.peer
  }

  /** Takes the exit of the call. */
  over(exit: CallExit): void {
    this.isTold = true
    if (!Exit.isExit(exit)) {
      // an error that is decoded by an effect
      Effect.runForkWith(this.context as Context.Context<unknown>)(exit).addObserver((exit) => this.over(exit))
      return
    }
    const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
    if (Exit.isSuccess(exit)) return this.finish(Exit.void, this.endedBecause("the service has ended by itself"))
    const error = reason?._tag === "Fail" ? reason.error : undefined
    const why =
      error instanceof FlameError
        ? error.reason
        : this.endedBecause(
            reason?._tag === "Die" ? `the service died: ${String(reason.defect)}` : "the service has failed"
          )
    this.finish(exit as Ended, why)
  }

  private finish(exit: Ended, why: Reason): void {
    if (this.why !== undefined) return
    this.why = why
    const early = Exit.isSuccess(exit) ? Exit.fail(new FlameError({ reason: why })) : exit
    confine(() => Deferred.doneUnsafe(this.settled, early))
    confine(() => Deferred.doneUnsafe(this.ended, exit))
    Effect.runForkWith(this.context)(this.peer.endPeer)
  }

  /** The error of a service that has ended. */
  endedBecause(detail: string): ServiceEnded {
    const { pool, runner } = this.call
    return new ServiceEnded({ pool, function: this.service.name, runner: runner(), detail })
  }

  /** The error of a request that gets no answer. */
  private reason(name: string, mayHaveRun: boolean): Reason {
    const why = this.why ?? this.endedBecause("the service is about to end")
    if (why instanceof RunnerLost) return new RunnerLost({ ...why, function: name, mayHaveRun })
    if (why instanceof ServiceEnded) return new ServiceEnded({ ...why, function: name })
    return why
  }
}
