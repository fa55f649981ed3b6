/**
 * Finds the parents that `ps`, `top`, `logs` and `explain` read: on this machine, and in a namespace if there is a cluster.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { KubeError } from "../kubernetes/api/KubeError.ts"
import { Cluster } from "./cluster/Cluster.ts"
import { CommandFailed } from "./cluster/CommandFailed.ts"
import * as Inventory from "./cluster/Inventory.ts"
import * as NamespaceSearch from "./cluster/NamespaceSearch.ts"
import * as Snapshots from "./cluster/Snapshots.ts"
import * as Flags from "./Flags.ts"
import type { Where } from "./screen/Ps.ts"
import * as Parents from "./status/Parents.ts"
import * as Terminal from "./Terminal.ts"

/** The parents, and the namespace that was looked at. */
export interface Found {
  readonly parents: ReadonlyArray<Parents.Parent>
  readonly where: Where
  /** The cluster. Undefined if there is none. */
  readonly cluster: Cluster["Service"] | undefined
  /**
   * Looks for parents again. The parents in `known` are not asked for their status a second time: the result contains the
   * status that `known` has.
   */
  readonly again: (known: ReadonlyArray<Parents.Parent>) => Effect.Effect<Found, KubeError>
}

const ofCluster = (known: ReadonlyArray<Parents.Parent>): Effect.Effect<Found, KubeError, Cluster> =>
  Effect.gen(function* () {
    const cluster = yield* Cluster
    const { client } = cluster
    const [here, snapshot] = yield* Effect.all([Parents.ofMachine(known), Snapshots.read], { concurrency: 2 })
    const there = yield* Parents.ofCluster(Inventory.parentsOf(snapshot), known)
    return {
      parents: Parents.joined(here, there),
      where: { namespace: client.namespace, server: client.server, now: snapshot.now },
      cluster,
      again: (known) => Effect.provideService(ofCluster(known), Cluster, cluster)
    }
  })

const ofMachine = (known: ReadonlyArray<Parents.Parent>): Effect.Effect<Found> =>
  Effect.gen(function* () {
    const parents = yield* Parents.ofMachine(known)
    const where = { namespace: undefined, server: undefined, now: yield* Clock.currentTimeMillis }
    return { parents, where, cluster: undefined, again: ofMachine }
  })

const nothing = (way: string) =>
  new CommandFailed({
    status: 1,
    message: `no parent on this machine shows its status (FlameStatus.layer), and there is ${way}`
  })

/**
 * Finds the parents of this machine and of the cluster, and passes them to `use`. Without a cluster there are only those of
 * this machine. Fails if there is neither a cluster nor a parent on this machine.
 */
export const withFound = <A, E>(
  { local, ...target }: Flags.Target & { readonly local: boolean },
  use: (found: Found) => Effect.Effect<A, E>
): Effect.Effect<A, E | CommandFailed | KubeError> =>
  Effect.gen(function* () {
    if (local) return yield* use(yield* ofMachine([]))
    const built = yield* Effect.result(Layer.build(Flags.clusterOf(target)))
    if (Result.isFailure(built)) {
      // A cluster that was named and is not there is a mistake, also beside parents of this machine.
      if (Object.values(target).some(Option.isSome)) {
        return yield* new CommandFailed({ status: 1, message: built.failure.message })
      }
      const found = yield* ofMachine([])
      return yield* found.parents.length === 0 ? Effect.fail(nothing(built.failure.message)) : use(found)
    }
    const found = yield* Effect.provide(ofCluster([]), built.success).pipe(Terminal.spinning("looking for parents"))
    if (found.parents.every(({ view }) => view === undefined)) {
      const missing = yield* Effect.provide(NamespaceSearch.missing, built.success)
      const isAsked = Option.isSome(target.namespace) || found.parents.length === 0
      if (missing !== undefined) yield* isAsked ? Effect.fail(missing) : Terminal.hint(missing.message)
    }
    const obstacle = Parents.obstacle(found.parents)
    if (obstacle !== undefined) yield* Terminal.hint(obstacle)
    return yield* use(found)
  }).pipe(Effect.scoped)
