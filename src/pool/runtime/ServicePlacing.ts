/** Places services. A placed service is a call that builds the service, and lasts until its owner's Scope closes or it ends. */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as Scope from "effect/Scope"
import * as EncodePayload from "../../function/EncodePayload.ts"
import { FlameError, type Reason, RunnerLost, ServiceEnded } from "../../error/FlameError.ts"
import { confine } from "../../error/Unhandled.ts"
import * as FunctionCodec from "../../function/FunctionCodec.ts"
import * as GroupClient from "../../function/GroupClient.ts"
import * as GroupFunctions from "../../function/GroupFunctions.ts"
import type { AnyService } from "../../function/PlacedService.ts"
import type { CallExit } from "../../call/Outcome.ts"
import { Peer } from "../../call/peer/Peer.ts"
import { PeerServer } from "../../call/peer/PeerServer.ts"
import type { RunnerHandle } from "../engine/RunnerHandle.ts"
import type { Channel } from "../../wire/Channel.ts"
import { Kind } from "../../wire/Frame.ts"
import { Call, type CallMessages, type CallTerms } from "../engine/Call.ts"
import * as Endings from "./ServiceEnd.ts"
import type { PoolEngine } from "../engine/PoolEngine.ts"

type Client = object
type Ended = Exit.Exit<void, FlameError>

/** Places a service for a fiber, and gives its client. The context of the fiber answers the requests of the service. */
export const place = (
  engine: PoolEngine,
  owner: Fiber.Fiber<unknown, unknown>,
  service: AnyService,
  payload: unknown,
  terms: CallTerms,
  tooLarge: (bytes: Uint8Array) => Effect.Effect<never, FlameError> | undefined
): Effect.Effect<Client, unknown, unknown> => {
  const codec = FunctionCodec.of(service)
  return EncodePayload.encode(
    codec,
    service,
    payload,
    (bytes) =>
      tooLarge(bytes) ??
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Effect.scope, (scope) =>
          Effect.suspend(() => {
            const placing = new ServicePlacing(engine, service, owner.context)
            const call = new Call(engine, service, codec, bytes, terms, engine.now(), (exit) => placing.over(exit))
            placing.begin(call)
            const close = placing.close(call)
            return Scope.addFinalizer(scope, close).pipe(
              Effect.andThen(restore(Deferred.await(placing.settled))),
              Effect.andThen(placing.client),
              Effect.onError(() => close)
            )
          })
        )
      )
  ) as Effect.Effect<Client, unknown, unknown>
}

class ServicePlacing implements CallMessages {
  isBegun = false
  /** Completes when the service is built. Fails with the error of its construction. */
  readonly settled = Deferred.makeUnsafe<void, unknown>()
  readonly slack: number
  private readonly ended = Deferred.makeUnsafe<void, FlameError>()
  private readonly engine: PoolEngine
  private readonly service: AnyService
  private readonly context: Context.Context<never>
  private readonly peer: Peer
  private call: Call | undefined
  /** Whether the call has its exit. */
  private isTold = false
  /** The reason that the service has ended. */
  private why: Reason | undefined

  constructor(engine: PoolEngine, service: AnyService, context: Context.Context<never>) {
    this.engine = engine
    this.service = service
    this.context = context
    this.peer = new Peer({
      functions: GroupFunctions.of(service.group),
      channel: () => this.channel,
      runner: () => this.runner,
      limit: engine.settings.maxPayload,
      isTowardsOwner: false,
      cancelGrace: engine.settings.cancelGrace,
      over: (fn, mayHaveRun) => this.reason(fn.name, mayHaveRun),
      signal: (kind) => kind === Kind.Welcome && this.built(),
      violate: (what) => this.handle?.link.violate(`${what} for service ${service.name}`)
    })
    this.slack = this.peer.slack
  }

  /** Submits the call. */
  begin(call: Call): void {
    this.call = call
    call.messages = this
    this.engine.submit(call)
  }

  /** Makes the client of a service that is built. */
  get client(): Effect.Effect<Client> {
    const group = this.service.group as unknown as RpcGroup.RpcGroup<Rpc.Any>
    return Effect.map(GroupClient.make(group, this.peer.calls.call) as Effect.Effect<Client>, (client) =>
      Endings.set(client, Deferred.await(this.ended))
    )
  }

  /** Ends the service with its owner's Scope, and waits for its finalizers for at most `cancelGrace`. */
  close(call: Call): Effect.Effect<void> {
    return Effect.suspend(() => {
      // a service that ended by itself or by its budget has told its owner: finalizers that still run do so in the background
      if (this.isTold) return Effect.void
      this.finish(Exit.void, this.endedBecause("the Scope of its owner is closed"))
      return this.isBegun ? this.engine.finish(call) : this.engine.interrupt(call)
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

  private get channel(): Channel {
    return this.call!.channel!
  }

  private get handle(): RunnerHandle | undefined {
    return this.engine.runners.get(this.call?.runner ?? -1)?.handle
  }

  private get runner(): string {
    return this.engine.runners.get(this.call?.ranOn ?? -1)?.id ?? "?"
  }

  private built(): void {
    this.isBegun = true
    // the budget of `place` is for building the service
    const call = this.call!
    call.expiry = undefined
    if (call.heapIndex >= 0) this.engine.timer.cancel(call)
    confine(() => Deferred.doneUnsafe(this.settled, Exit.void))
  }

  /** The peer, which answers from the first message on: a service may ask its owner while it is built. */
  private answering(): Peer {
    if (this.peer.server === undefined && this.why === undefined) {
      const { offers } = this.service
      const offered = offers === undefined ? [] : GroupFunctions.of(offers)
      this.peer.server = new PeerServer(
        offered,
        this.context,
        this.channel,
        this.engine.settings.maxPayload,
        () => this.runner
      )
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

  private endedBecause(detail: string): ServiceEnded {
    return new ServiceEnded({ pool: this.engine.pool, function: this.service.name, runner: this.runner, detail })
  }

  /** The error of a request that gets no answer. */
  private reason(name: string, mayHaveRun: boolean): Reason {
    const why = this.why ?? this.endedBecause("the service is about to end")
    if (why instanceof RunnerLost) return new RunnerLost({ ...why, function: name, mayHaveRun })
    if (why instanceof ServiceEnded) return new ServiceEnded({ ...why, function: name })
    return why
  }
}
