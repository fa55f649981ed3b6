/** Reads single facts from a pod's status, on which the diagnosis is based. Pure. */
import { printable } from "../../error/PeerText.ts"
import type { Condition, ContainerState, ContainerStatus, Pod } from "../object/KubeObjects.ts"
import { containerName } from "../template/PodTemplate.ts"

/** The end of a container, as the kubelet reports it. */
export type Terminated = NonNullable<ContainerState["terminated"]>

/** The status of the runner's container, by its name: the order of containers in a status is undefined. */
export const runnerOf = (pod: Pod): ContainerStatus | undefined =>
  pod.status?.containerStatuses?.find(({ name }) => name === containerName)

/** The condition of that type. */
export const conditionOf = (pod: Pod, type: string): Condition | undefined =>
  pod.status?.conditions?.find((condition) => condition.type === type)

/** The announcement that the cluster will end the pod, if there is one. */
export const disruptionOf = (pod: Pod): Condition | undefined => {
  const condition = conditionOf(pod, "DisruptionTarget")
  return condition?.status === "True" ? condition : undefined
}

/** The name of the pod's node, for messages. */
export const nodeOf = (pod: Pod): string => pod.spec.nodeName ?? "its node"

/** The memory limit of the runner's container, else of its pod. Admission may have set the limit. */
export const memoryLimitOf = (pod: Pod): string | undefined =>
  pod.spec.containers.find(({ name }) => name === containerName)?.resources?.limits?.["memory"] ??
  pod.spec.resources?.limits?.["memory"]

/**
 * Whether the pod's node does not answer. The cluster then marks the pod as not ready, while the last report about its
 * containers still says that they are ready.
 */
export const isNodeSilent = (pod: Pod): boolean =>
  pod.status?.reason === "NodeLost" ||
  (pod.status?.phase === "Running" &&
    conditionOf(pod, "Ready")?.status === "False" &&
    conditionOf(pod, "ContainersReady")?.status === "True" &&
    // A gate that is not open keeps a pod from being ready on a node that answers.
    (pod.spec.readinessGates ?? []).every(({ conditionType }) => conditionOf(pod, conditionType)?.status === "True") &&
    runnerOf(pod)?.state?.running !== undefined)

/**
 * The init container that ended with another exit code than 0. Not a sidecar (`restartPolicy: Always`): the kubelet starts
 * it again.
 */
export const failedInitOf = ({ spec: { initContainers = [] }, status }: Pod): ContainerStatus | undefined =>
  status?.initContainerStatuses?.find(
    ({ name, state }) =>
      (state?.terminated?.exitCode ?? 0) !== 0 &&
      initContainers.find((each) => each.name === name)?.restartPolicy !== "Always"
  )

/** The signal that ended a process, by its exit code; undefined if the process ended by itself. */
export const signalOf = ({ exitCode, signal }: Terminated): string | undefined =>
  signals[signal !== undefined && signal > 0 ? signal : exitCode - 128]

const signals: Readonly<Record<number, string>> = {
  1: "SIGHUP",
  2: "SIGINT",
  4: "SIGILL",
  5: "SIGTRAP",
  6: "SIGABRT",
  7: "SIGBUS",
  8: "SIGFPE",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM"
}

/** A reason and a message as one text. A message that contains the reason is used alone. */
export const worded = (reason: string | undefined, message: string | undefined): string => {
  const text = printable(message?.trim() ?? "")
  if (reason === undefined || text.includes(reason)) return text
  return text === "" ? reason : `${reason}: ${text}`
}
