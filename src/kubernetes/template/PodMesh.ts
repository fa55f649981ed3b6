/** Service meshes: runners stay out of one that their parent is not in, because a sidecar costs a second of each boot. */
import type { Pod } from "../object/KubeObjects.ts"

interface Mesh {
  readonly name: string
  /** Its container in a pod that is in it. */
  readonly sidecar: string
  readonly optOut: {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  /** The label by which a single pod asks to be in it. */
  readonly optIn?: string
  /** Annotations that lead a port of the parent, or of its runners towards it, past the proxy. */
  readonly inbound: string
  readonly outbound: string
}

const meshes: ReadonlyArray<Mesh> = [
  {
    name: "Istio",
    sidecar: "istio-proxy",
    // the annotation for versions before 1.10
    optOut: { labels: { "sidecar.istio.io/inject": "false" }, annotations: { "sidecar.istio.io/inject": "false" } },
    optIn: "sidecar.istio.io/inject",
    inbound: "traffic.sidecar.istio.io/excludeInboundPorts",
    outbound: "traffic.sidecar.istio.io/excludeOutboundPorts"
  },
  {
    name: "Linkerd",
    sidecar: "linkerd-proxy",
    optOut: { annotations: { "linkerd.io/inject": "disabled" } },
    inbound: "config.linkerd.io/skip-inbound-ports",
    outbound: "config.linkerd.io/skip-outbound-ports"
  }
]

const has = (pod: Pod, container: string): boolean =>
  [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some(({ name }) => name === container)

const meshOf = (pod: Pod | undefined): Mesh | undefined =>
  pod === undefined ? undefined : meshes.find(({ sidecar }) => has(pod, sidecar))

/** Whether a container is a mesh's proxy and not the app: injection may put it first. */
export const isSidecar = (container: string): boolean => meshes.some(({ sidecar }) => sidecar === container)

/** Labels and annotations that keep runners out of meshes, or let them in past the proxy where their parent is in one. */
export const metadataOf = (
  parent: Pod | undefined,
  port: number | undefined
): { readonly labels: Readonly<Record<string, string>>; readonly annotations: Readonly<Record<string, string>> } => {
  const mesh = meshOf(parent)
  if (mesh === undefined) {
    return {
      labels: Object.assign({}, ...meshes.map(({ optOut }) => optOut.labels)),
      annotations: Object.assign({}, ...meshes.map(({ optOut }) => optOut.annotations))
    }
  }
  const asked = mesh.optIn === undefined ? undefined : parent?.metadata.labels?.[mesh.optIn]
  return {
    labels: mesh.optIn !== undefined && asked !== undefined ? { [mesh.optIn]: asked } : {},
    annotations: port === undefined ? {} : { [mesh.outbound]: `${port}` }
  }
}

/** What the parent lacks so that runners get past its mesh's proxy, with the patch; undefined where nothing is missing. */
export const adviceFor = (parent: Pod | undefined, port: number): string | undefined => {
  const mesh = meshOf(parent)
  if (mesh === undefined) return undefined
  const excluded = parent?.metadata.annotations?.[mesh.inbound]?.split(",").map((part) => part.trim()) ?? []
  if (excluded.includes(`${port}`)) return undefined
  const ports = [...excluded, `${port}`].join(",")
  return (
    `this pod is in ${mesh.name}, whose proxy would not let runners dial port ${port}: ` +
    `add to the pod template's metadata\n  annotations:\n    ${mesh.inbound}: "${ports}"`
  )
}
