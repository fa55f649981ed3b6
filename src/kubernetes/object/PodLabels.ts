/**
 * Labels and annotations of runners, and the guard that keeps a runner apart from its parent's own kind.
 *
 * A runner whose labels match the selector of the parent's ReplicaSet is adopted and killed by it within seconds; one that
 * matches its Service gets its requests; one that matches its PodDisruptionBudget blocks drains.
 */
import { InvalidSpec } from "../../error/BootFailure.ts"
import type { Pod } from "./KubeObjects.ts"
import { labelValue, type ParentIdentity } from "./PodNames.ts"

export const managedBy = "app.kubernetes.io/managed-by"
export const role = "flame.dev/role"
export const pool = "flame.dev/pool"
export const parent = "flame.dev/parent"
/** Annotation: the parent's life that it belongs to. */
export const life = "flame.dev/life"
/** Annotation: the runner's id. */
export const runner = "flame.dev/runner"

/** Labels of a runner. */
export const ofRunner = (identity: ParentIdentity, poolId: string): Readonly<Record<string, string>> => ({
  [managedBy]: "effect-flame",
  [role]: "runner",
  [pool]: labelValue(poolId),
  [parent]: identity.label
})

/** Annotations that tell a runner of this life from one of another. */
export const annotationsOf = (spec: {
  readonly id: string
  readonly life: string
}): Readonly<Record<string, string>> => ({
  [life]: spec.life,
  [runner]: spec.id
})

/** Finds the runners of one parent, of all its lives. */
export const selector = (identity: ParentIdentity): string => `${role}=runner,${parent}=${identity.label}`

/** Whether a pod is a runner of that life. */
export const isOfLife = (pod: Pod, of: string): boolean => pod.metadata.annotations?.[life] === of

/** Annotations by which autoscalers leave a runner alone that was booted for calls; kept ones may make room. */
export const keepsNode: Readonly<Record<string, string>> = {
  "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
  "karpenter.sh/do-not-disrupt": "true"
}

/** Why these labels must not be on a runner; undefined where they may. */
export const problemOf = (
  given: Readonly<Record<string, string>>,
  ofParent: Readonly<Record<string, string>> | undefined
): InvalidSpec | undefined => {
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("flame.dev/") || (name === managedBy && value !== "effect-flame")) {
      return new InvalidSpec({
        detail: `the label ${name} of runners is set by effect-flame: take it out of \`labels\` or \`manifest\``
      })
    }
    if (ofParent?.[name] === value) {
      return new InvalidSpec({
        detail:
          `runners must not have the label ${name}: ${value}, which their parent has too: its ReplicaSet, Services and ` +
          "disruption budgets could take them for its own pods; take it out of `labels` or `manifest`, or give it another value"
      })
    }
  }
  return undefined
}
