/**
 * Labels and annotations of runners, and the check that no selector of the parent's objects selects a runner.
 *
 * A ReplicaSet that selects a runner adopts and deletes it within seconds. A Service that selects a runner sends it requests.
 * A PodDisruptionBudget that selects a runner blocks drains.
 */
import { InvalidSpec } from "../../error/BootFailure.ts"
import type { Pod } from "./KubeObjects.ts"
import { labelValue, type ParentIdentity } from "./ObjectNames.ts"

export const managedBy = "app.kubernetes.io/managed-by"
export const role = "flame.dev/role"
export const pool = "flame.dev/pool"
export const parent = "flame.dev/parent"
/** Annotation: the life of the parent that created the object. */
export const life = "flame.dev/life"
/** Annotation: the runner's id. */
export const runner = "flame.dev/runner"

/** Annotation of the objects of a parent outside of the cluster: its process. */
export const process = "flame.dev/process"

/** A process outside of the cluster, for people and for the process table of its machine. */
export interface ProcessMark {
  readonly user: string
  readonly host: string
  /** The name of the file that the process runs. */
  readonly program: string
  readonly pid: number
  /** A hash of the machine's boot and the process's pid namespace, in which `pid` means one process; absent if unknown. */
  readonly machine?: string
}

/** The process in an annotation; undefined if the annotation holds none. */
export const readProcess = (text: string | undefined): ProcessMark | undefined => {
  try {
    const { host, machine, pid, program, user } = JSON.parse(text ?? "") as Partial<ProcessMark>
    const isText = [host, program, user].every((each) => typeof each === "string")
    if (!isText || typeof pid !== "number") return undefined
    const mark = { host: `${host}`, pid, program: `${program}`, user: `${user}` }
    return typeof machine === "string" ? { ...mark, machine } : mark
  } catch {
    return undefined
  }
}

/** The labels of a runner. */
export const ofRunner = (identity: ParentIdentity, poolId: string): Readonly<Record<string, string>> => ({
  [managedBy]: "effect-flame",
  [role]: "runner",
  [pool]: labelValue(poolId),
  [parent]: identity.label
})

/** Annotations that tell the runners of one life from those of another. */
export const annotationsOf = (spec: {
  readonly id: string
  readonly life: string
}): Readonly<Record<string, string>> => ({
  [life]: spec.life,
  [runner]: spec.id
})

/** The label selector of a parent's runners, of all its lives. */
export const selector = (identity: ParentIdentity): string => `${role}=runner,${parent}=${identity.label}`

/** Whether a pod belongs to that life. */
export const isOfLife = (pod: Pod, of: string): boolean => pod.metadata.annotations?.[life] === of

/** Annotations that keep autoscalers from ending a runner which serves calls. Runners kept by `min` do not get them. */
export const keepsNode: Readonly<Record<string, string>> = {
  "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
  "karpenter.sh/do-not-disrupt": "true"
}

/** The error of labels that a runner must not have; undefined if they are allowed. */
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
