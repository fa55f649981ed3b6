/** The parent as the API server has it: its pod, and the container of this program. */
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
 * Finds the container of this program.
 *
 * In this order decide: the option `container`, the container that the process has found by itself, the annotation of
 * kubectl, and the only container that is no proxy of a mesh. Fails with `InvalidSpec` if the option contradicts the
 * finding, or if more than one container is left: runners that copy the wrong container would never connect.
 */
export const find = (pod: Pod, option?: string, found?: string): ParentPod | InvalidSpec => {
  const { containers } = pod.spec
  const named = (name: string | undefined): Container | undefined =>
    containers.find((container) => container.name === name)
  const all = containers.map(({ name }) => name)
  const others = (name: string): string => all.filter((each) => each !== name).join(", ") || "none"
  if (option !== undefined) {
    const container = named(option)
    if (container === undefined) {
      const detail = `pod ${pod.metadata.name} has no container ${option}: set \`container\` to one of ${all.join(", ")}`
      return new InvalidSpec({ detail })
    }
    if (found !== undefined && found !== option) {
      return new InvalidSpec({
        detail: `the option \`container\` says ${option}, but this process runs in container ${found} of pod ${pod.metadata.name} (the other containers: ${others(found)}): remove \`container\`, or set it to ${found}`
      })
    }
    return { pod, container }
  }
  const sure = named(found) ?? named(pod.metadata.annotations?.[defaultContainer])
  if (sure !== undefined) return { pod, container: sure }
  const [container = containers[0]!, ...more] = containers.filter(({ name }) => !isSidecar(name))
  if (more.length === 0) return { pod, container }
  return new InvalidSpec({
    detail: `this process cannot find out which container of pod ${pod.metadata.name} it runs in: ${container.name}, which is the first, or one of the others (${others(container.name)}): set \`container\``
  })
}

/** The kubelet's status of the container. */
export const statusOf = ({ container, pod }: ParentPod): ContainerStatus | undefined =>
  pod.status?.containerStatuses?.find(({ name }) => name === container.name)

/** The reference that makes Kubernetes delete an object together with the parent's pod. */
export const ownerOf = ({ pod }: ParentPod): OwnerReference => ({
  apiVersion: "v1",
  kind: "Pod",
  name: pod.metadata.name ?? "",
  uid: pod.metadata.uid ?? "",
  // An object with a controller is not adopted by another controller.
  controller: true,
  // `true` would need the right to update finalizers on some clusters.
  blockOwnerDeletion: false
})
