/** Reads the snapshot of a namespace. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { KubeError } from "../../kubernetes/api/KubeError.ts"
import type { Job, Pod } from "../../kubernetes/object/KubeObjects.ts"
import { Cluster } from "./Cluster.ts"
import { selector, type Snapshot } from "./Inventory.ts"
import { jobs, pods, secrets } from "./Resources.ts"

/** The result of a read; undefined if the right to it is missing. */
export const ifAllowed = <A, R>(read: Effect.Effect<A, KubeError, R>): Effect.Effect<A | undefined, KubeError, R> =>
  Effect.catchIf(
    read,
    ({ status }) => status === 403,
    () => Effect.succeed(undefined)
  )

/**
 * Reads a namespace.
 *
 * Pods are listed last, and in one list. The parent of each listed Secret or Job existed earlier, so a parent that is not in
 * the list of pods is gone.
 */
export const read: Effect.Effect<Snapshot, KubeError, Cluster> = Effect.gen(function* () {
  const cluster = yield* Cluster
  const [ofJobs, ofSecrets] = yield* Effect.all(
    [ifAllowed(cluster.list<Job>(jobs, selector)), ifAllowed(cluster.listMetadata(secrets, selector))],
    { concurrency: 2 }
  )
  const all = yield* cluster.list<Pod>(pods)
  const now = cluster.client.serverTime?.() ?? (yield* Clock.currentTimeMillis)
  return { now, pods: all, jobs: ofJobs, secrets: ofSecrets }
})
