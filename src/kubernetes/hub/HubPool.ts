/**
 * One hub for all pools and layers of a process that mean the same parent in the same cluster: one listener, one watch.
 *
 * It begins with the first layer that needs it and ends with the last.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { BootFailure } from "../../error/BootFailure.ts"
import { KubeClient } from "../api/KubeClient.ts"
import * as KubeClientLive from "../api/KubeClientLive.ts"
import type { KubeUnconfigured } from "../api/KubeError.ts"
import { type Hub, type HubOptions, make } from "./KubeHub.ts"
import type { Once } from "./Once.ts"

interface Shared {
  readonly hub: Once<Hub, BootFailure>
  readonly scope: Scope.Closeable
  users: number
}

const hubs = new Map<string, Shared>()

/** Whoever comes while one ends waits for its end: it holds the port. */
const turn = Semaphore.makeUnsafe(1)

type Options = HubOptions & KubeClientLive.Options

/**
 * What makes hubs differ. Not what programs their runners run and where those find their keys: one port serves all. A
 * client of somebody's own is never shared.
 */
const keyOf = (options: Options): string => JSON.stringify(distinct.map((name) => options[name]))

const distinct = [
  "kubeconfig",
  "context",
  "namespace",
  "serviceAccount",
  "advertise",
  "port",
  "container",
  "instance"
] as const satisfies ReadonlyArray<keyof Options>

/** The hub that these options mean, until the scope ends. */
export const acquire = (options: Options): Effect.Effect<Once<Hub, BootFailure>, KubeUnconfigured, Scope.Scope> =>
  Effect.gen(function* () {
    const own = yield* Effect.serviceOption(KubeClient)
    if (Option.isSome(own)) return make(own.value, options, yield* Effect.scope)
    const key = keyOf(options)
    const shared = yield* Effect.acquireRelease(turn.withPermits(1)(join(key, options)), (shared) =>
      turn.withPermits(1)(leave(key, shared))
    )
    return shared.hub
  })

const join = (key: string, options: Options): Effect.Effect<Shared, KubeUnconfigured> =>
  Effect.gen(function* () {
    const known = hubs.get(key)
    if (known !== undefined) {
      known.users++
      return known
    }
    const scope = yield* Scope.make()
    const client = yield* Effect.onError(Scope.provide(KubeClientLive.make(options), scope), (cause) =>
      Scope.close(scope, Exit.failCause(cause))
    )
    const shared: Shared = { hub: make(client, options, scope), scope, users: 1 }
    hubs.set(key, shared)
    return shared
  })

const leave = (key: string, shared: Shared): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (--shared.users > 0) return Effect.void
    hubs.delete(key)
    return Scope.close(shared.scope, Exit.void)
  })
