/** Pure: whether NetworkPolicies let runners dial their parent. */
import { BlockList, isIPv6 } from "node:net"
import type { Metadata } from "../../kubernetes/object/KubeObjects.ts"
import * as PodLabels from "../../kubernetes/object/PodLabels.ts"
import { documents } from "../manifests/Yaml.ts"
import { type Labels, type LabelSelector, selects } from "../cluster/Selectors.ts"
import { type Check, fail, ok } from "./Check.ts"

interface Peer {
  readonly podSelector?: LabelSelector
  readonly namespaceSelector?: LabelSelector
  readonly ipBlock?: { readonly cidr: string; readonly except?: ReadonlyArray<string> }
}

interface PolicyPort {
  readonly protocol?: string
  readonly port?: number | string
  readonly endPort?: number
}

/** A NetworkPolicy of Kubernetes. */
export interface Policy {
  readonly metadata: Metadata
  readonly spec?: {
    readonly podSelector?: LabelSelector
    readonly policyTypes?: ReadonlyArray<string>
    readonly ingress?: ReadonlyArray<{
      readonly from?: ReadonlyArray<Peer>
      readonly ports?: ReadonlyArray<PolicyPort>
    }>
    readonly egress?: ReadonlyArray<{ readonly to?: ReadonlyArray<Peer>; readonly ports?: ReadonlyArray<PolicyPort> }>
  }
}

/** The connection that runners make. */
export interface WayBack {
  readonly namespace: string
  readonly namespaceLabels: Labels
  readonly parent: Labels
  readonly runner: Labels
  /** The port that runners dial, and the names that the parent's containers give it. */
  readonly port: number
  readonly portNames: ReadonlyArray<string>
  /** The name of the workload: policies of two workloads in a namespace must not replace each other. */
  readonly workload: string
  /** The address of the parent's pod, if it has one. */
  readonly address: string | undefined
}

const blockHolds = ({ cidr, except = [] }: NonNullable<Peer["ipBlock"]>, address: string | undefined): boolean => {
  if (address === undefined) return cidr.endsWith("/0") && except.length === 0
  const holds = (network: string): boolean => {
    const [base = "", bits] = network.split("/")
    if (isIPv6(base) !== isIPv6(address)) return false
    const list = new BlockList()
    list.addSubnet(base, Number(bits), isIPv6(base) ? "ipv6" : "ipv4")
    return list.check(address, isIPv6(address) ? "ipv6" : "ipv4")
  }
  return holds(cidr) && !except.some(holds)
}

const isPeer = (peer: Peer, labels: Labels, address: string | undefined, way: WayBack): boolean => {
  if (peer.ipBlock !== undefined) return blockHolds(peer.ipBlock, address)
  if (peer.namespaceSelector !== undefined && !selects(peer.namespaceSelector, way.namespaceLabels)) return false
  return peer.podSelector === undefined || selects(peer.podSelector, labels)
}

const isPort = ({ endPort, port, protocol = "TCP" }: PolicyPort, way: WayBack): boolean => {
  if (protocol !== "TCP") return false
  if (port === undefined) return true
  if (typeof port === "string") return way.portNames.includes(port)
  return way.port >= port && way.port <= (endPort ?? port)
}

const allows = (
  rule: { readonly peers: ReadonlyArray<Peer> | undefined; readonly ports: ReadonlyArray<PolicyPort> | undefined },
  labels: Labels,
  address: string | undefined,
  way: WayBack
): boolean =>
  (rule.peers === undefined ||
    rule.peers.length === 0 ||
    rule.peers.some((peer) => isPeer(peer, labels, address, way))) &&
  (rule.ports === undefined || rule.ports.length === 0 || rule.ports.some((port) => isPort(port, way)))

/** The policies that cut one direction; empty if it is open. */
const cutBy = (
  policies: ReadonlyArray<Policy>,
  direction: "Ingress" | "Egress",
  way: WayBack
): ReadonlyArray<string> => {
  const [own, other] = direction === "Ingress" ? [way.parent, way.runner] : [way.runner, way.parent]
  const address = direction === "Ingress" ? undefined : way.address
  const selecting = policies.filter(({ spec = {} }) => {
    const types = spec.policyTypes ?? (spec.egress === undefined ? ["Ingress"] : ["Ingress", "Egress"])
    return types.includes(direction) && selects(spec.podSelector ?? {}, own)
  })
  const isOpen = selecting.some(({ spec = {} }) => {
    const rules =
      direction === "Ingress"
        ? (spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports }))
        : (spec.egress ?? []).map(({ ports, to }) => ({ peers: to, ports }))
    return rules.some((rule) => allows(rule, other, address, way))
  })
  return isOpen ? [] : selecting.map(({ metadata }) => metadata.name ?? "")
}

/** A policy that opens a direction. Policies only add connections, so it closes none. */
const opening = (direction: "Ingress" | "Egress", { namespace, parent, port, workload }: WayBack): string => {
  const runners = { matchLabels: { [PodLabels.role]: "runner" } }
  const parents = { matchLabels: parent }
  const ports = [{ protocol: "TCP", port }]
  const spec =
    direction === "Ingress"
      ? { podSelector: parents, policyTypes: ["Ingress"], ingress: [{ from: [{ podSelector: runners }], ports }] }
      : { podSelector: runners, policyTypes: ["Egress"], egress: [{ to: [{ podSelector: parents }], ports }] }
  const name = direction === "Ingress" ? `flame-${workload}-way-back-in` : `flame-${workload}-way-back-out`
  const object = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace },
    spec
  }
  return documents([{ about: [], object }])
}

/** The way back from runners to their parent. */
export const checks = (policies: ReadonlyArray<Policy>, way: WayBack): ReadonlyArray<Check> => {
  const checkOf = (direction: "Ingress" | "Egress"): ReadonlyArray<Check> => {
    const cut = cutBy(policies, direction, way)
    if (cut.length === 0) return []
    const who = direction === "Ingress" ? "to the parent" : "out of runners"
    const line = `NetworkPolicy ${cut.join(" and ")} cuts the way ${who}: runners cannot dial port ${way.port}`
    return [fail(`network.${direction.toLowerCase()}`, line, { manifest: opening(direction, way) })]
  }
  const cuts = [...checkOf("Ingress"), ...checkOf("Egress")]
  return cuts.length > 0
    ? cuts
    : [ok("network", `runners may dial port ${way.port} of the parent (${policies.length} NetworkPolicies looked at)`)]
}
