/** Pure: objects whose selector would match the pod of a runner. */
import type { Metadata } from "../../kubernetes/object/KubeObjects.ts"
import { type Labels, type LabelSelector, selects, worded } from "../cluster/Selectors.ts"
import { type Check, fail, ok, patch, warn } from "./Check.ts"

/** An object with a selector for pods. */
export interface Selecting {
  readonly kind: "service" | "replicaset" | "statefulset" | "daemonset" | "poddisruptionbudget"
  readonly metadata: Metadata
  /** Undefined: selects nothing. */
  readonly selector: LabelSelector | undefined
}

const harms: Readonly<Record<Selecting["kind"], string>> = {
  service: "sends requests to runners",
  replicaset: "adopts runners that nobody owns, and deletes those beyond its replicas",
  statefulset: "adopts runners that nobody owns",
  daemonset: "adopts runners that nobody owns, and deletes them",
  poddisruptionbudget: "keeps nodes with runners from being drained"
}

/** Replaces the labels that a runner has in a Service's selector by one that only the parents have. */
const serviceFix = (name: string, namespace: string, selector: LabelSelector, runner: Labels, parent: Labels) => {
  const shared = Object.keys(selector.matchLabels ?? {})
  const own = Object.entries(parent).find(([key, value]) => runner[key] !== value)
  const change = { ...Object.fromEntries(shared.map((key) => [key, null])), ...(own && { [own[0]]: own[1] }) }
  return own === undefined
    ? `give the parents a label that runners do not have, and select it in Service ${name}`
    : patch("service", name, namespace, { spec: { selector: change } })
}

/** The objects that select a runner with these labels. `parent`: the labels of the parent's pod. */
export const checks = (
  all: ReadonlyArray<Selecting>,
  runner: Labels,
  parent: Labels,
  namespace: string
): ReadonlyArray<Check> => {
  const found = all.filter(({ selector }) => selector !== undefined && selects(selector, runner))
  if (found.length === 0)
    return [ok("selectors", `no Service, ReplicaSet or disruption budget selects runners (${all.length} looked at)`)]
  return found.map(({ kind, metadata: { name = "" }, selector = {} }) => {
    const line = `${kind} ${name} selects runners (${worded(selector)}) and ${harms[kind]}`
    const fix =
      kind === "service"
        ? serviceFix(name, namespace, selector, runner, parent)
        : `make the selector of ${kind} ${name} name a label that only its own pods have`
    return kind === "poddisruptionbudget"
      ? warn(`selectors.${kind}`, line, { fix })
      : fail(`selectors.${kind}`, line, { fix })
  })
}
