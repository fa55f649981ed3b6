/** Pure: whether the cluster would admit a runner's pod, by the answer to a dry run. */
import type { BootFailure } from "../../error/BootFailure.ts"
import type { KubeError } from "../../kubernetes/api/KubeError.ts"
import type { Pod } from "../../kubernetes/object/KubeObjects.ts"
import * as PodChanges from "../../kubernetes/template/PodChanges.ts"
import * as KubeFailure from "../../kubernetes/verdict/KubeFailure.ts"
import { type Check, fail, type Fix, ok, unknown, warn } from "./Check.ts"
import { patchOf, type Workload } from "./Parent.ts"
import { count } from "../../time/Spoken.ts"

/** Where a fix is applied. */
export interface PodContext {
  readonly namespace: string
  readonly workload: Workload | undefined
  /** The container of the parent's pod that runners copy. */
  readonly container: string | undefined
}

/** The image of a dry run for a parent of which no image is known. No registry has it. */
export const noImage = "effect-flame.invalid/no-image:0"

/** The fix for a parent without a workload: a change of its options. */
const inCode = (what: string): Fix => ({ fix: `${what} in the options of the layer, or in the file of --options` })

const restricted = {
  runAsNonRoot: true,
  runAsUser: 65_532,
  seccompProfile: { type: "RuntimeDefault" }
}

const ofPodSecurity = ({ namespace, workload }: PodContext): Fix => {
  const command = patchOf(workload, namespace, { securityContext: restricted })
  return command === undefined
    ? inCode(`set podSecurityContext to ${JSON.stringify(restricted)}`)
    : { fix: `${command} (with the user of the image)` }
}

const ofLimitRange = (detail: string, { container, namespace, workload }: PodContext): Fix => {
  const [, , resource = "memory", limit = ""] =
    /(maximum|minimum) (\S+) usage per \w+ is ([^,]+)/.exec(detail) ?? ([] as ReadonlyArray<string>)
  return workload === undefined
    ? inCode(`set resources so that ${resource} keeps to ${limit}`)
    : {
        fix: `kubectl set resources ${workload.kind}/${workload.name} -n ${namespace}${
          container === undefined ? "" : ` -c ${container}`
        } --requests=${resource}=${limit} --limits=${resource}=${limit}`
      }
}

/** Raises the first entry that is used up, so that one more runner fits. */
const ofQuota = (detail: string, { namespace }: PodContext): Fix => {
  const [, quota] = /exceeded quota: ([^,]+)/.exec(detail) ?? []
  const [, entry, used] = /used: ([^=,]+)=([^,]+)/.exec(detail) ?? []
  const isCount = entry === "pods" || entry === "count/pods"
  if (quota === undefined || entry === undefined || !isCount) {
    return { fix: "raise the quota, or lower the requests of runners or `max`" }
  }
  const hard = JSON.stringify({ spec: { hard: { [entry]: String(Number(used) + 1) } } })
  return { fix: `kubectl patch resourcequota ${quota} -n ${namespace} --type merge -p '${hard}' (or lower \`max\`)` }
}

const fixOf = (cause: BootFailure, detail: string, context: PodContext): Fix => {
  if (/violates PodSecurity/.test(detail)) return ofPodSecurity(context)
  if (/usage per/.test(detail)) return ofLimitRange(detail, context)
  if (cause._tag === "QuotaExceeded") return ofQuota(detail, context)
  if (/namespaces "[^"]*" not found/.test(detail)) return { fix: `kubectl create namespace ${context.namespace}` }
  if (/no PriorityClass with name/.test(detail)) return { fix: "create the PriorityClass, or name another one" }
  if (cause._tag === "Forbidden") return { fix: "grant the rights above" }
  return inCode("correct the fields that the API server names")
}

/** The answer to the dry run of a pod. */
export const answered = (sent: Pod, made: Pod): ReadonlyArray<Check> => {
  const image = sent.spec.containers[0]?.image ?? ""
  const changes = PodChanges.changesOf(sent, made)
  const which = image === noImage ? "of no known image: set --image" : `of image ${image}`
  return [
    ok("pod", `the cluster would admit a runner's pod (${which})`),
    ...changes.map((change) => warn("pod.changes", change, inCode("set `resources`")))
  ]
}

/** The refusal of a pod. `living`: the runners that the parent has now, which may be what fills a quota. */
export const refused = (error: KubeError, context: PodContext, living = 0): Check => {
  if (error.status === 400 && error.detail.includes("does not support dry run")) {
    return unknown("pod", `a webhook answers no dry runs, so that only a boot tells: ${error.detail}`, {
      fix: "run doctor with --probe"
    })
  }
  const failure = KubeFailure.of(error)
  if (failure.next === "with a CPU limit") {
    return ok("pod", "the quota demands a CPU limit, which runners get")
  }
  const words = failure.cause.message.replaceAll(/\s+/g, " ")
  if (failure.cause._tag === "QuotaExceeded" && living > 0) {
    const line = `the parent has ${count(living, "runner")}, and no other one would be admitted: ${words}`
    return warn("pod", line, fixOf(failure.cause, error.detail, context))
  }
  const line = `the cluster would not admit a runner's pod: ${words}`
  return fail("pod", line, fixOf(failure.cause, error.detail, context))
}
