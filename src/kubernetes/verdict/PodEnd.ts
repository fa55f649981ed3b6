/** Decides why a pod must leave, and how it ended. Pure. */
import type { Leaving } from "../../backend/Backend.ts"
import {
  Deleted,
  Evicted,
  Exited,
  type ExitReason,
  Killed,
  NodeLost,
  OutOfMemory,
  Preempted,
  type RunnerExit
} from "../../error/RunnerExit.ts"
import type { Pod } from "../object/KubeObjects.ts"
import {
  conditionOf,
  disruptionOf,
  failedInitOf,
  isNodeSilent,
  memoryLimitOf,
  nodeOf,
  runnerOf,
  signalOf,
  type Terminated,
  worded
} from "./PodFacts.ts"
import { printable } from "../../error/PeerText.ts"
import { reportOf } from "../../backend/RunnerReport.ts"

/** Milliseconds before the kubelet's SIGKILL that a runner needs for sending its results and for ending. */
const killReserve = 3_000

/**
 * Why a pod must leave, and the milliseconds that its calls may go on. Undefined for a pod that may stay.
 *
 * `budget` counts from the first report of the deletion. The deletion's timestamp is of the API server's clock, which must
 * not be compared with the clock of this process. `budget` is `Infinity` on a node that does not answer. Nothing there can
 * end the runner, even if the pod is evicted for that silence. Only its connection shows whether the runner lives.
 */
export const leavingOf = (pod: Pod, drainTimeout: number): Leaving | undefined => {
  const { deletionGracePeriodSeconds, deletionTimestamp } = pod.metadata
  const disruption = disruptionOf(pod)
  if (deletionTimestamp === undefined && disruption === undefined) {
    if (!isNodeSilent(pod)) return undefined
    const node = nodeOf(pod)
    return { why: `its node ${node} does not answer`, reason: new NodeLost({ node }), budget: Infinity }
  }
  const reason = disruption === undefined ? new Deleted({}) : disrupted(pod, disruption)
  if (reason._tag === "NodeLost") return { why: reason.message, reason, budget: Infinity }
  // An eviction is announced before the deletion with its grace period.
  const ahead = pod.spec.terminationGracePeriodSeconds ?? Infinity
  const grace = (deletionTimestamp === undefined ? ahead : (deletionGracePeriodSeconds ?? ahead)) * 1_000
  return { why: reason.message, reason, budget: Math.max(0, Math.min(drainTimeout, grace - killReserve)) }
}

/**
 * The end of a pod. Undefined while the pod lives. `isDeleted`: the API server has removed the object.
 *
 * `gone` is true if the kubelet has reported the end of the container. An object that was removed by force, or because
 * its node was lost, proves nothing about the process, which may still run there.
 */
export const exitOf = (pod: Pod, isDeleted: boolean): RunnerExit | undefined => {
  const state = runnerOf(pod)?.state
  const phase = pod.status?.phase
  const hasEnded = state?.terminated !== undefined || phase === "Failed" || phase === "Succeeded"
  if (!hasEnded && !isDeleted) return undefined
  const isUnseen = state?.running !== undefined
  return { reason: reasonOf(pod, state?.terminated), gone: state?.terminated !== undefined || !isUnseen }
}

const reasonOf = (pod: Pod, terminated: Terminated | undefined): ExitReason => {
  if (terminated?.reason === "OOMKilled") {
    const limit = memoryLimitOf(pod)
    return new OutOfMemory(limit === undefined ? {} : { limit })
  }
  // A process that ended before the deletion ended by itself.
  if (terminated !== undefined && endedBefore(pod, terminated)) return ofProcess(terminated)
  const { message, reason } = pod.status ?? {}
  const disruption = disruptionOf(pod)
  if (reason === "Evicted") return new Evicted({ detail: message?.trim() || reason })
  if (reason === "DeadlineExceeded") return new Killed({ signal: "SIGTERM", by: "its activeDeadlineSeconds" })
  if (reason !== undefined && isShutdown(reason)) return new Preempted({ detail: worded(reason, message) })
  if (disruption !== undefined) return disrupted(pod, disruption)
  if (isNodeSilent(pod)) return new NodeLost({ node: nodeOf(pod) })
  if (pod.metadata.deletionTimestamp !== undefined) return new Deleted({})
  const ended = terminated ?? failedInitOf(pod)?.state?.terminated
  if (ended !== undefined) return ofProcess(ended)
  if (reason !== undefined) return new Evicted({ detail: `${nodeOf(pod)} refused it: ${worded(reason, message)}` })
  return new Deleted({})
}

const endedBefore = (pod: Pod, terminated: Terminated): boolean => {
  const { deletionGracePeriodSeconds = 0, deletionTimestamp } = pod.metadata
  if (deletionTimestamp === undefined || disruptionOf(pod) !== undefined) return false
  // The kubelet's final deletion has no grace period, and has overwritten the time of the first deletion. A drained
  // runner exits 0, so a non-zero code without a signal means that the process ended by itself.
  if (deletionGracePeriodSeconds === 0) return terminated.exitCode !== 0 && signalOf(terminated) === undefined
  const deletedAt = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000
  // Timestamps are whole seconds, so within the same second the order is unknown.
  return Date.parse(terminated.finishedAt ?? "") < deletedAt
}

/** Whether the reason is a shutdown of the node, such as the end of a spot machine. Kubelets have used three names for it. */
const isShutdown = (reason: string): boolean => ["Terminated", "NodeShutdown", "Shutdown"].includes(reason)

const disrupted = (
  pod: Pod,
  { message, reason }: { readonly reason?: string; readonly message?: string }
): ExitReason => {
  const detail = worded(undefined, message) || (reason ?? "the cluster ends it")
  switch (reason) {
    case "PreemptionByScheduler":
      return new Preempted({ detail })
    case "DeletionByPodGC":
      return new NodeLost({ node: nodeOf(pod) })
    case "DeletionByTaintManager":
      // Any NoExecute taint deletes pods. The taint of a lost node comes after the node's silence.
      return conditionOf(pod, "Ready")?.status === "False" && runnerOf(pod)?.state?.terminated === undefined
        ? new NodeLost({ node: nodeOf(pod) })
        : new Evicted({ detail })
    case "TerminationByKubelet":
      return /shutdown/i.test(detail) ? new Preempted({ detail }) : new Evicted({ detail })
    default:
      return new Evicted({ detail })
  }
}

const ofProcess = (terminated: Terminated): ExitReason => {
  const signal = signalOf(terminated)
  if (signal !== undefined) return new Killed({ signal })
  const { exitCode, message } = terminated
  const said = reportOf(message)?.message ?? (message === undefined ? undefined : printable(message))
  return new Exited({ code: exitCode, ...(said === undefined ? {} : { stderr: said }) })
}
