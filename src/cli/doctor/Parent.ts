/** Pure: the parent that `doctor` looks at, before any of its runners exists. */
import type { Pod, PodSpec } from "../../kubernetes/object/KubeObjects.ts"
import type { ParentPod } from "../../kubernetes/template/PodParent.ts"

/** A workload, by its template for pods. */
export interface Workload {
  /** `deployment`, `statefulset`, `pod`: as kubectl names it. */
  readonly kind: string
  readonly name: string
}

/** The parent: a pod, or the pod that a workload would make, or a process outside of the cluster. */
export interface Parent {
  readonly workload: Workload | undefined
  /** Undefined outside of the cluster. */
  readonly pod: ParentPod | undefined
  /**
   * The labels that all pods of the workload have, also after a rollout. Labels of one pod, such as its index in a
   * StatefulSet, are not among them.
   */
  readonly labels: Readonly<Record<string, string>>
  /** Whether the pod is there: otherwise it has no address and no uid, and nothing was filled in by admission. */
  readonly isRunning: boolean
  /** The parent's user as RBAC names it; undefined for the user of this process. */
  readonly account: string | undefined
}

/** The pod that a template would make. */
export const podOfTemplate = (
  name: string,
  namespace: string,
  template: { readonly metadata?: Pod["metadata"]; readonly spec: PodSpec }
): Pod => ({
  metadata: { ...template.metadata, name, namespace, uid: "00000000-0000-0000-0000-000000000000" },
  spec: template.spec
})

/** Labels that controllers give to single pods or to one revision. */
const ofController =
  /^(pod-template-hash|controller-revision-hash|pod-template-generation|job-name|controller-uid|(statefulset|batch)\.kubernetes\.io\/.*|apps\.kubernetes\.io\/pod-index)$/

/** The labels of a pod without a known workload that other pods of its workload have too, by their names. */
export const sharedLabels = ({ metadata }: Pod): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([name]) => !ofController.test(name)))

/** The user of a pod's service account. */
export const accountOf = (pod: Pod, namespace: string): string =>
  `system:serviceaccount:${namespace}:${pod.spec.serviceAccountName ?? "default"}`

/** A change of the parent's pod, as a command; undefined if there is nothing to patch. */
export const patchOf = (workload: Workload | undefined, namespace: string, spec: unknown): string | undefined =>
  workload === undefined || workload.kind === "pod"
    ? undefined
    : `kubectl patch ${workload.kind} ${workload.name} -n ${namespace} -p '${JSON.stringify({ spec: { template: { spec } } })}'`
