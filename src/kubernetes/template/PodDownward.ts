/**
 * Decides, for a variable of the parent that the downward API fills, whether a runner gets the parent's value.
 *
 * Labels and annotations are copied as text, among them the index of a Job and the ordinal of a StatefulSet. The runner's
 * pod does not have them, so that the same variable would be empty there. The service account and the CPU limit are copied
 * unless the runner has its own. Names, addresses and the node remain references, which the kubelet resolves for the
 * runner's own pod.
 */
import type { Container, EnvVar, Fields, Pod } from "../object/KubeObjects.ts"
import type { ParentPod } from "./PodParent.ts"

const metadata = /^metadata\.(labels|annotations)\['(.*)'\]$/

const pathOf = ({ valueFrom }: EnvVar): string | undefined => {
  const path = (valueFrom?.["fieldRef"] as Fields | undefined)?.["fieldPath"]
  return typeof path === "string" ? path : undefined
}

/** A text as the value of a variable: the kubelet reads `$(NAME)` as a reference, and `$$` as `$`. */
const literal = (name: string, text: string): EnvVar => ({ name, value: text.replaceAll("$", "$$$$") })

/** Parts that a runner has of its own, so that the parent's value of a variable would be wrong. */
export interface Own {
  /** Whether the runner has a service account of its own. */
  readonly account: boolean
  /** Whether the runner has resources of its own. */
  readonly resources: boolean
}

/** The variable as a runner gets it. */
export const retold = (variable: EnvVar, { container, pod }: ParentPod, own: Own): EnvVar => {
  const path = pathOf(variable)
  const [, kind, key = ""] = metadata.exec(path ?? "") ?? []
  if (kind !== undefined) return literal(variable.name, pod.metadata[kind as "labels" | "annotations"]?.[key] ?? "")
  if (path === "spec.serviceAccountName" && !own.account) {
    return literal(variable.name, pod.spec.serviceAccountName ?? "default")
  }
  const about = variable.valueFrom?.["resourceFieldRef"] as Fields | undefined
  if (about === undefined) return variable
  const limit = cpuLimitOf(container, pod)
  if (about["resource"] === "limits.cpu" && limit !== undefined && !own.resources) {
    // The limit itself is not inherited, and the variable would hold the cores of the runner's node.
    return literal(variable.name, `${units(limit, about["divisor"])}`)
  }
  if (about["containerName"] === undefined) return variable
  const { containerName: _, ...rest } = about
  return { ...variable, valueFrom: { ...variable.valueFrom, resourceFieldRef: rest } }
}

/** The CPU limit of a container: its own, or else that of its pod. */
export const cpuLimitOf = (container: Container, pod: Pod): string | undefined =>
  container.resources?.limits?.["cpu"] ?? pod.spec.resources?.limits?.["cpu"]

const cores = (quantity: string): number =>
  quantity.endsWith("m") ? Number(quantity.slice(0, -1)) / 1000 : Number(quantity)

/** A CPU quantity in units of a divisor, rounded up as the kubelet does it. The API server writes the default divisor as 0. */
const units = (limit: string, divisor: unknown): number => {
  const unit = typeof divisor === "string" || typeof divisor === "number" ? cores(`${divisor}`) : 0
  return Math.ceil(Number((cores(limit) / (unit > 0 ? unit : 1)).toFixed(6)))
}

/** Why a variable misleads on a runner: a name whose end is the ordinal of a StatefulSet. */
export const misleads = (variable: EnvVar, { pod }: ParentPod): string | undefined =>
  pathOf(variable) === "metadata.name" &&
  pod.metadata.ownerReferences?.some(({ controller, kind }) => controller === true && kind === "StatefulSet") === true
    ? `names the runner's own pod, whose name ends in no ordinal: read the parent's from the label apps.kubernetes.io/pod-index`
    : undefined
