/** The parent as the API server has it: its pod, and which of the containers there is this program. */
import { InvalidSpec } from "../../error/BootFailure.ts"
import type { Container, ContainerStatus, OwnerReference, Pod } from "../object/KubeObjects.ts"
import { isSidecar } from "./PodMesh.ts"

/** The pod that this process runs in, and its container there. */
export interface ParentPod {
  readonly pod: Pod
  readonly container: Container
}

const defaultContainer = "kubectl.kubernetes.io/default-container"

/**
 * Finds the container by the option `container`, else by the annotation that kubectl goes by, else takes the first that
 * is not a mesh's proxy: nothing in a process tells it the name of its own container.
 */
export const find = (pod: Pod, name?: string): ParentPod | InvalidSpec => {
  const { containers } = pod.spec
  const marked = pod.metadata.annotations?.[defaultContainer]
  const container =
    name === undefined
      ? (containers.find((container) => container.name === marked) ??
        containers.find((container) => !isSidecar(container.name)) ??
        containers[0])
      : containers.find((container) => container.name === name)
  if (container !== undefined) return { pod, container }
  return new InvalidSpec({
    detail: `pod ${pod.metadata.name} has no container ${name}: set \`container\` to one of ${containers
      .map(({ name }) => name)
      .join(", ")}`
  })
}

/** What the kubelet says of the container. */
export const statusOf = ({ container, pod }: ParentPod): ContainerStatus | undefined =>
  pod.status?.containerStatuses?.find(({ name }) => name === container.name)

/** What makes an object go with the parent's pod. */
export const ownerOf = ({ pod }: ParentPod): OwnerReference => ({
  apiVersion: "v1",
  kind: "Pod",
  name: pod.metadata.name ?? "",
  uid: pod.metadata.uid ?? "",
  // a controller of its own keeps other ones from adopting it
  controller: true,
  // `true` needs the right to update finalizers on some clusters
  blockOwnerDeletion: false
})
