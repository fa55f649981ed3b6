/** What a pod's status says, in the words that the diagnosis is made of. */
import { printable } from "../../error/PeerText.ts"
import type { Condition, ContainerState, ContainerStatus, Pod } from "../object/KubeObjects.ts"
import { containerName } from "../template/PodTemplate.ts"

export type Terminated = NonNullable<ContainerState["terminated"]>

/** The runner's container among those of its pod, whose order says nothing. */
export const runnerOf = (pod: Pod): ContainerStatus | undefined =>
  pod.status?.containerStatuses?.find(({ name }) => name === containerName)

export const conditionOf = (pod: Pod, type: string): Condition | undefined =>
  pod.status?.conditions?.find((condition) => condition.type === type)

/** Why the pod shall go, where a part of the cluster said so beforehand. */
export const disruptionOf = (pod: Pod): Condition | undefined => {
  const condition = conditionOf(pod, "DisruptionTarget")
  return condition?.status === "True" ? condition : undefined
}

/** The pod's node for people. */
export const nodeOf = (pod: Pod): string => pod.spec.nodeName ?? "its node"

/** The runner's memory limit, which admission may have set. */
export const memoryLimitOf = (pod: Pod): string | undefined =>
  pod.spec.containers.find(({ name }) => name === containerName)?.resources?.limits?.["memory"] ??
  pod.spec.resources?.limits?.["memory"]

/**
 * Whether the cluster has lost sight of the pod's node: the pod is then no longer ready, although its containers, of
 * which nothing was heard since, are.
 */
export const isNodeSilent = (pod: Pod): boolean =>
  pod.status?.reason === "NodeLost" ||
  (pod.status?.phase === "Running" &&
    conditionOf(pod, "Ready")?.status === "False" &&
    conditionOf(pod, "ContainersReady")?.status === "True" &&
    runnerOf(pod)?.state?.running !== undefined)

/** Whether a container ended other than well. */
export const hasFailed = ({ state }: ContainerStatus): boolean => (state?.terminated?.exitCode ?? 0) !== 0

/** The signal that ended a process, by its exit code; undefined where it ended by itself. */
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

/** A reason and a message as one text; a message that has the reason already stands for both. */
export const worded = (reason: string | undefined, message: string | undefined): string => {
  const text = printable(message?.trim() ?? "")
  if (reason === undefined || text.includes(reason)) return text
  return text === "" ? reason : `${reason}: ${text}`
}
