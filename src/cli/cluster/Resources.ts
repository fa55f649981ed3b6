/** The resources of the API server that the command line reads, and their paths. */

/** A resource in the words of RBAC, with its API group. */
export interface Resource {
  readonly group: string
  readonly version: string
  readonly name: string
  /** Whether objects of the resource have no namespace. */
  readonly isOfCluster?: true
}

const core = (name: string): Resource => ({ group: "", version: "v1", name })
const ofGroup = (group: string, name: string, version = "v1"): Resource => ({ group, version, name })

export const pods = core("pods")
export const secrets = core("secrets")
export const configMaps = core("configmaps")
export const services = core("services")
export const events = core("events")
export const resourceQuotas = core("resourcequotas")
export const limitRanges = core("limitranges")
export const namespaces: Resource = { ...core("namespaces"), isOfCluster: true }
export const jobs = ofGroup("batch", "jobs")
export const deployments = ofGroup("apps", "deployments")
export const statefulSets = ofGroup("apps", "statefulsets")
export const replicaSets = ofGroup("apps", "replicasets")
export const daemonSets = ofGroup("apps", "daemonsets")
export const disruptionBudgets = ofGroup("policy", "poddisruptionbudgets")
export const networkPolicies = ofGroup("networking.k8s.io", "networkpolicies")
export const accessReviews = ofGroup("authorization.k8s.io", "localsubjectaccessreviews")

/** The path of a collection, or of one object of it. */
export const pathOf = (resource: Resource, namespace: string, name?: string): string => {
  const { group, isOfCluster = false, name: plural, version } = resource
  return [
    group === "" ? `/api/${version}` : `/apis/${group}/${version}`,
    ...(isOfCluster ? [] : [`namespaces/${encodeURIComponent(namespace)}`]),
    plural,
    ...(name === undefined ? [] : [encodeURIComponent(name)])
  ].join("/")
}
