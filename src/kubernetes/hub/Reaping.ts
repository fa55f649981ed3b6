/**
 * Takes away what nobody will: pods of former lives that have ended, and pods of this life that no runner stands behind.
 *
 * Never a live pod of another life: it may belong to a process that runs beside this one, and if not it ends by itself,
 * because its connection is gone.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Graveyard } from "./Graveyard.ts"
import type { Pod } from "../object/KubeObjects.ts"
import * as PodLabels from "../object/PodLabels.ts"
import { runnerOf } from "../verdict/PodFacts.ts"
import type { PodWatch } from "../watch/PodWatch.ts"

/** Whose dead these are. */
export interface Household {
  readonly life: string
  /** Names of pods that runners stand behind. */
  readonly living: ReadonlySet<string>
  readonly watch: PodWatch
  readonly graveyard: Graveyard
}

/** When to look again after the start, in milliseconds: what lived at the start has ended by then. */
const secondLook = 30_000

/** How a pod of this parent stands to this life. */
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

/** Looks at every list of the watch, at the start among them, and once more a while after it. */
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
