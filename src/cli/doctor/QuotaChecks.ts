/** Pure: the number of runners that fit into the quotas of a namespace. */
import type { Container, Metadata, Pod } from "../../kubernetes/object/KubeObjects.ts"
import * as Quantity from "../cluster/Quantity.ts"
import { type Check, fail, ok, patch, warn } from "./Check.ts"

/** A ResourceQuota, as far as it concerns pods. */
export interface Quota {
  readonly metadata: Metadata
  readonly spec?: {
    readonly scopes?: ReadonlyArray<string>
    readonly scopeSelector?: {
      readonly matchExpressions?: ReadonlyArray<{
        readonly scopeName: string
        readonly operator: string
        readonly values?: ReadonlyArray<string>
      }>
    }
  }
  readonly status?: {
    readonly hard?: Readonly<Record<string, string>>
    readonly used?: Readonly<Record<string, string>>
  }
}

const totalOf = (pod: Pod, kind: "requests" | "limits", resource: string): number =>
  pod.spec.containers.reduce((sum, { resources }: Container) => {
    const value = resources?.[kind]?.[resource]
    return sum + (value === undefined ? 0 : Quantity.parse(value))
  }, 0)

const isBestEffort = (pod: Pod): boolean =>
  pod.spec.containers.every(({ resources: { limits = {}, requests = {} } = {} }) =>
    ["cpu", "memory"].every((name) => limits[name] === undefined && requests[name] === undefined)
  )

const isInScope = (pod: Pod, scope: string, operator: string, values: ReadonlyArray<string>): boolean => {
  const priority = pod.spec.priorityClassName
  switch (scope) {
    case "Terminating":
      return pod.spec.activeDeadlineSeconds !== undefined
    case "NotTerminating":
      return pod.spec.activeDeadlineSeconds === undefined
    case "BestEffort":
      return isBestEffort(pod)
    case "NotBestEffort":
      return !isBestEffort(pod)
    case "PriorityClass":
      if (operator === "Exists") return priority !== undefined
      if (operator === "DoesNotExist") return priority === undefined
      return values.includes(priority ?? "") === (operator === "In")
    default:
      return false
  }
}

/** Whether a quota counts a pod. */
export const counts = ({ spec = {} }: Quota, pod: Pod): boolean =>
  (spec.scopes ?? []).every((scope) => isInScope(pod, scope, "Exists", [])) &&
  (spec.scopeSelector?.matchExpressions ?? []).every(({ operator, scopeName, values = [] }) =>
    isInScope(pod, scopeName, operator, values)
  )

/** How much of a quota's entry one runner takes; 0 for what runners do not take. */
const needOf = (pod: Pod, entry: string): number => {
  if (entry === "pods" || entry === "count/pods") return 1
  const [kind, resource] = entry.includes(".") ? entry.split(/\.(.*)/s) : ["requests", entry]
  return (kind === "requests" || kind === "limits") && resource !== undefined ? totalOf(pod, kind, resource) : 0
}

/** The room in one entry of one quota. */
interface Room {
  readonly quota: string
  readonly entry: string
  readonly hard: string
  readonly runners: number
  readonly need: number
  readonly used: number
}

const roomsOf = (quota: Quota, pod: Pod): ReadonlyArray<Room> => {
  const { hard = {}, used = {} } = quota.status ?? {}
  if (!counts(quota, pod)) return []
  return Object.entries(hard).flatMap(([entry, most]): ReadonlyArray<Room> => {
    const need = needOf(pod, entry)
    if (!(need > 0)) return []
    const taken = Quantity.parse(used[entry] ?? "0")
    const runners = Math.max(0, Math.floor((Quantity.parse(most) - taken) / need + 1e-9))
    return [{ quota: quota.metadata.name ?? "", entry, hard: most, runners, need, used: taken }]
  })
}

/**
 * The room for runners like this pod. `max`: the pool's, if it is known. `existing`: runners that are counted already, and
 * are among `max`.
 */
export const checks = (
  quotas: ReadonlyArray<Quota>,
  pod: Pod,
  namespace: string,
  max: number | undefined,
  existing: number
): ReadonlyArray<Check> => {
  const rooms = quotas.flatMap((quota) => roomsOf(quota, pod))
  const [least] = rooms.toSorted((left, right) => left.runners - right.runners)
  if (least === undefined) return [ok("quota", "no quota counts runners here")]
  const fits = least.runners + existing
  const words = `quota ${least.quota} (${least.entry}: ${least.hard})`
  if (max !== undefined && fits >= max) return [ok("quota", `${words} has room for all ${max} runners of max`)]
  const wanted = least.used + (Math.max(1, max ?? 1) - existing) * least.need
  const hard = { [least.entry]: Quantity.format(least.entry, wanted) }
  const fix = { fix: patch("resourcequota", least.quota, namespace, { spec: { hard } }) }
  if (fits === 0) return [fail("quota", `${words} has no room for a runner`, fix)]
  return max === undefined
    ? [ok("quota", `${words} has room for ${least.runners} more runners`)]
    : [warn("quota", `${words} has room for ${fits} runners of max ${max}: boots beyond them wait`, fix)]
}
