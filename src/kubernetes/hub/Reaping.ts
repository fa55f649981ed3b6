/**
 * Deletes pods that no process owns any more: ended pods of former lives of this parent, and pods of this life without a
 * runner in this process.
 *
 * A live pod of another life stays, because the process of that life may still run beside this one. If that process has
 * ended, the runner has lost its connection and ends by itself.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Graveyard } from "./Graveyard.ts"
import type { Pod } from "../object/KubeObjects.ts"
import * as PodLabels from "../object/PodLabels.ts"
import { runnerOf } from "../verdict/PodFacts.ts"
import type { PodWatch } from "../watch/PodWatch.ts"

/** The parent whose pods are looked at. */
export interface Household {
  readonly life: string
  /** Names of pods of runners of this process. */
  readonly living: ReadonlySet<string>
  readonly watch: PodWatch
  readonly graveyard: Graveyard
}

/** Milliseconds from the start to the second look, when the runners of a former life have ended. */
const secondLook = 30_000

/** Relation of a pod of this parent to this life. */
export const judge = (
  pod: Pod,
  life: string,
  isKnown: (name: string) => boolean
): "ours" | "stray" | "ended" | "another's" => {
  if (PodLabels.isOfLife(pod, life)) return isKnown(pod.metadata.name ?? "") ? "ours" : "stray"
  const { phase } = pod.status ?? {}
  // A sidecar keeps the phase at Running after the runner has ended.
  const hasEnded = phase === "Succeeded" || phase === "Failed" || runnerOf(pod)?.state?.terminated !== undefined
  return hasEnded ? "ended" : "another's"
}

/** Looks at every list of the watch, from the first one on, and at one more list 30 s after the start. */
export const reap = (household: Household): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const look = (pods: ReadonlyMap<string, Pod>) => {
      household.graveyard.relisted(pods)
      for (const pod of pods.values()) {
        const { name, uid } = pod.metadata
        const verdict = judge(
          pod,
          household.life,
          (name) => household.living.has(name) || household.graveyard.has(name)
        )
        if (name === undefined || verdict === "ours" || verdict === "another's") continue
        Effect.runForkWith(context)(household.graveyard.removePod(name, uid))
      }
    }
    const unfollow = household.watch.onRelist(look)
    yield* Effect.addFinalizer(() => Effect.sync(unfollow))
    look(household.watch.pods())
    yield* Effect.forkScoped(Effect.delay(household.watch.relist, secondLook))
  })
