/** The runner's side of a placed service: a call that builds the service, answers its owner, and ends with the service. */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Rpc from "effect/rpc/Rpc"
import type * as RpcClient from "effect/rpc/RpcClient"
import type * as RpcGroup from "effect/rpc/RpcGroup"
import * as Scope from "effect/Scope"
import { type FlameError, ServiceEnded } from "../error/FlameError.ts"
import * as GroupClient from "../function/GroupClient.ts"
import * as GroupFunctions from "../function/GroupFunctions.ts"
import type { AnyPlacedCode, Placed } from "../function/PlacedService.ts"
import { Channel, type LinkEnd } from "../wire/Channel.ts"
import { Kind } from "../wire/Frame.ts"
import type { ChannelServer } from "../call/ChannelServer.ts"
import { Current, type CurrentCall } from "../function/Current.ts"
import { Peer } from "../call/peer/Peer.ts"
import { PeerServer } from "../call/peer/PeerServer.ts"
import type { OpenFunction } from "../call/Served.ts"

type Owner = RpcClient.RpcClient<Rpc.Any, FlameError>

/** Milliseconds that an interrupted request of a service waits for its owner. */
const ownerGrace = 5_000

/** Makes a service a function of its runner. */
export const implement = (service: AnyPlacedCode): OpenFunction => {
  // Made at boot: a schema that cannot be sent fails the boot, not the first placing.
  const answered = GroupFunctions.of(service.group)
  const offered = service.offers === undefined ? [] : GroupFunctions.of(service.offers)
  const own = {
    ...service,
    "~R": undefined,
    implementation: Effect.succeed,
    open: (end: LinkEnd, max: number) => new PlacedServer(service, answered, offered, end, max)
  }
  return Object.defineProperty(own, "layout", { get: () => service.layout })
}

class PlacedServer implements ChannelServer {
  readonly channel: Channel
  private readonly service: AnyPlacedCode
  private readonly answered: ReadonlyArray<GroupFunctions.GroupFunction>
  private readonly peer: Peer
  private readonly maxResult: number
  private readonly draining = Deferred.makeUnsafe<void>()
  private readonly ended = Deferred.makeUnsafe<void>()
  private current: CurrentCall | undefined

  constructor(
    service: AnyPlacedCode,
    answered: ReadonlyArray<GroupFunctions.GroupFunction>,
    offered: ReadonlyArray<GroupFunctions.GroupFunction>,
    end: LinkEnd,
    max: number
  ) {
    this.service = service
    this.answered = answered
    this.maxResult = max
    this.peer = new Peer({
      functions: offered,
      channel: () => this.channel,
      runner: () => this.current?.id ?? "?",
      limit: max,
      isTowardsOwner: true,
      cancelGrace: ownerGrace,
      over: (fn) => this.over(fn.name),
      signal: () => this.drain(),
      violate: (what) => end.link.violate(`${what} for service ${service.name}`)
    })
    this.channel = new Channel(end, this.peer)
  }

  drain(): void {
    Deferred.doneUnsafe(this.draining, Exit.void)
  }

  /** Builds the service in the Scope of the call, and answers until it ends or is interrupted. */
  run(decoded: Effect.Effect<unknown, unknown, unknown>): Effect.Effect<void, unknown, unknown> {
    return Effect.onExit(
      Effect.flatMap(decoded, (payload) => this.live(payload)),
      () => this.peer.endPeer
    )
  }

  private live(payload: unknown): Effect.Effect<void, unknown, unknown> {
    return Effect.gen({ self: this }, function* () {
      const context = yield* Effect.context<Current | Scope.Scope>()
      // A runner provides its own kind of call.
      this.current = Context.get(context, Current) as CurrentCall
      const owner = yield* this.owner
      const placed: Placed<Rpc.Any> = {
        owner,
        draining: Deferred.await(this.draining),
        end: Effect.asVoid(Deferred.succeed(this.ended, undefined)),
        die: (defect) => Effect.asVoid(Deferred.die(this.ended, defect))
      }
      const handlers = this.service.build(payload, placed) as Layer.Layer<never, unknown>
      // A memo map for each placing: a layer that is placed twice is built twice.
      const built = yield* Layer.buildWithMemoMap(
        handlers,
        Layer.makeMemoMapUnsafe(),
        Context.get(context, Scope.Scope)
      )
      this.peer.server = new PeerServer(this.answered, Context.merge(context, built), this.channel, this.maxResult)
      // The timeout of `place` is for building the service.
      this.current.unbind()
      this.peer.say(Kind.Welcome)
      yield* Deferred.await(this.ended)
    })
  }

  private get owner(): Effect.Effect<Owner, never, never> {
    const { offers } = this.service
    if (offers === undefined) return Effect.succeed({})
    const group = offers as unknown as RpcGroup.RpcGroup<Rpc.Any>
    return GroupClient.make(group, this.peer.calls.call)
  }

  private over(name: string): ServiceEnded {
    const { id = "?", pool = "?" } = this.current ?? {}
    return new ServiceEnded({ pool, function: name, runner: id, detail: "the service that asks has ended" })
  }
}
