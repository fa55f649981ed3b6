/**
 * The hubs of this process: one for all pools and layers that mean the same parent in the same cluster, so that they share
 * one listener and one watch.
 *
 * A hub begins with the first layer that needs it and ends with the last one.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { KubeClient } from "../api/KubeClient.ts"
import * as KubeClientLive from "../api/KubeClientLive.ts"
import { KubeUnconfigured } from "../api/KubeError.ts"
import { type HubOptions, type HubStart, make } from "./KubeHub.ts"

type Client = KubeClient["Service"]

interface Shared {
  readonly hub: HubStart
  readonly scope: Scope.Closeable
  users: number
}

/** Hubs of clients that this module makes. */
const ofOptions = new Map<string, Shared>()

/** Hubs of clients that layers were provided with. */
const ofClients = new WeakMap<Client, Map<string, Shared>>()

/** Serializes joins and leaves: the next hub needs the port that an ending one holds. */
const turn = Semaphore.makeUnsafe(1)

/** Mocks of the cluster that exist in this process. */
let mocks = 0

/** Until the scope closes, hubs are made of provided clients only: a test that forgets to provide its mock fails. */
export const mock: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => void mocks++),
  () => Effect.sync(() => void mocks--)
)

export interface AcquireOptions extends HubOptions, KubeClientLive.Options {
  /**
   * Where the `KubeClient` comes from. `"provided"`: from the context, as a requirement. Default: from the context if
   * there is one, else made from the service account or the kubeconfig.
   */
  readonly client?: "provided"
}

/**
 * The options that select a hub. `image`, `key` and the like are not among them: one listener serves every program.
 */
const keyOf = (options: AcquireOptions): string => JSON.stringify(distinct.map((name) => options[name]))

const distinct = [
  "kubeconfig",
  "context",
  "namespace",
  "serviceAccount",
  "advertise",
  "port",
  "container",
  "instance"
] as const satisfies ReadonlyArray<keyof AcquireOptions>

/** The hub that these options select, until the scope closes. Fails if no API server is configured. */
export const acquire = (options: AcquireOptions): Effect.Effect<HubStart, KubeUnconfigured, Scope.Scope> =>
  Effect.gen(function* () {
    const provided = Option.getOrUndefined(yield* Effect.serviceOption(KubeClient))
    if (provided === undefined && (options.client === "provided" || mocks > 0)) {
      return yield* Effect.fail(new KubeUnconfigured({ detail: options.client === "provided" ? unprovided : unmocked }))
    }
    const key = keyOf(options)
    const hubs = provided === undefined ? ofOptions : hubsOf(provided)
    const client = provided === undefined ? KubeClientLive.make(options) : Effect.succeed(provided)
    const shared = yield* Effect.acquireRelease(turn.withPermits(1)(join(hubs, key, client, options)), (shared) =>
      turn.withPermits(1)(leave(hubs, key, shared))
    )
    return shared.hub
  })

const unprovided =
  'the option `client: "provided"` takes the KubeClient of the context, and there is none: add Layer.provide with a layer of KubeClient'

const unmocked =
  "a KubeMock exists in this process, and this layer was not provided with it, so that it would reach a real cluster: write Layer.provide(KubeMock.layer()) or Layer.provideMerge(KubeMock.layer()) on this layer, not Layer.merge"

const hubsOf = (client: Client): Map<string, Shared> => {
  const hubs = ofClients.get(client) ?? new Map<string, Shared>()
  ofClients.set(client, hubs)
  return hubs
}

const join = (
  hubs: Map<string, Shared>,
  key: string,
  makeClient: Effect.Effect<Client, KubeUnconfigured, Scope.Scope>,
  options: HubOptions
): Effect.Effect<Shared, KubeUnconfigured> =>
  Effect.gen(function* () {
    const known = hubs.get(key)
    if (known !== undefined) {
      known.users++
      return known
    }
    const scope = yield* Scope.make()
    const client = yield* Effect.onError(Scope.provide(makeClient, scope), (cause) =>
      Scope.close(scope, Exit.failCause(cause))
    )
    const shared: Shared = { hub: make(client, options, scope), scope, users: 1 }
    hubs.set(key, shared)
    return shared
  })

const leave = (hubs: Map<string, Shared>, key: string, shared: Shared): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (--shared.users > 0) return Effect.void
    hubs.delete(key)
    return Scope.close(shared.scope, Exit.void)
  })
