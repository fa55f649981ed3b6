/** Service meshes: runners stay out of a mesh that their parent is not in, because a sidecar adds a second to each boot. */
import type { Pod } from "../object/KubeObjects.ts"

interface Mesh {
  readonly name: string
  /** The name of the mesh's container in a pod. */
  readonly sidecar: string
  readonly optOut: {
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  /** The label by which a single pod joins the mesh. */
  readonly optIn?: string
  /** Annotations that exclude a port from the proxy: of the parent, and of runners that dial it. */
  readonly inbound: string
  readonly outbound: string
}

const meshes: ReadonlyArray<Mesh> = [
  {
    name: "Istio",
    sidecar: "istio-proxy",
    // The annotation for versions before 1.10.
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

/** Whether a container is the proxy of a mesh. Injection may put the proxy before the app's container. */
export const isSidecar = (container: string): boolean => meshes.some(({ sidecar }) => sidecar === container)

/** Labels and annotations that keep runners out of meshes, or, if the parent is in a mesh, exclude the port from its proxy. */
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

/** The annotation that the parent needs so that runners bypass its mesh's proxy. Undefined if nothing is missing. */
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
