/** That a pod is to go, and how it went. */
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
  hasFailed,
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

/** What a runner needs of the time it has, to write its results and end, in milliseconds. */
const killReserve = 3_000

/**
 * Why a pod is about to go, and the milliseconds that its calls may go on; undefined for a pod that may stay.
 *
 * `budget` is a duration from the first sight of the deletion. The deletion's timestamp is of the API server's clock, which
 * must not be compared with the clock of this process. `budget` is `Infinity` on a node that does not answer: nobody there
 * can end the runner, also when the pod is evicted for that silence, so that only its connection tells whether it lives.
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
  // An eviction is announced before the deletion that says its grace period.
  const ahead = pod.spec.terminationGracePeriodSeconds ?? Infinity
  const grace = (deletionTimestamp === undefined ? ahead : (deletionGracePeriodSeconds ?? ahead)) * 1_000
  return { why: reason.message, reason, budget: Math.max(0, Math.min(drainTimeout, grace - killReserve)) }
}

/**
 * How a pod ended; undefined while it lives. `isDeleted`: there is no such object any more.
 *
 * The answer is `gone` where the kubelet said that the container ended. An object that was deleted by force, or because
 * its node was lost, says nothing of the process, which may still compute there.
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
  // what it ended with before anybody wanted it gone is its own doing
  if (terminated !== undefined && endedBefore(pod, terminated)) return ofProcess(terminated)
  const { message, reason } = pod.status ?? {}
  const disruption = disruptionOf(pod)
  if (reason === "Evicted") return new Evicted({ detail: message?.trim() || reason })
  if (reason === "DeadlineExceeded") return new Killed({ signal: "SIGTERM", by: "its activeDeadlineSeconds" })
  if (reason !== undefined && isShutdown(reason)) return new Preempted({ detail: worded(reason, message) })
  if (disruption !== undefined) return disrupted(pod, disruption)
  if (isNodeSilent(pod)) return new NodeLost({ node: nodeOf(pod) })
  if (pod.metadata.deletionTimestamp !== undefined) return new Deleted({})
  const ended = terminated ?? pod.status?.initContainerStatuses?.find(hasFailed)?.state?.terminated
  if (ended !== undefined) return ofProcess(ended)
  if (reason !== undefined) return new Evicted({ detail: `${nodeOf(pod)} refused it: ${worded(reason, message)}` })
  return new Deleted({})
}

const endedBefore = (pod: Pod, terminated: Terminated): boolean => {
  const { deletionGracePeriodSeconds = 0, deletionTimestamp } = pod.metadata
  if (deletionTimestamp === undefined || disruptionOf(pod) !== undefined) return false
  // the kubelet's own deletion at the end is without grace and has overwritten when the first one was: a code of its own
  // is then what a process ends with that was not told to, because a runner that is told to go exits with 0
  if (deletionGracePeriodSeconds === 0) return terminated.exitCode !== 0 && signalOf(terminated) === undefined
  const told = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000
  // times are whole seconds: within one of them nobody knows
  return Date.parse(terminated.finishedAt ?? "") < told
}

/** Node shutdowns, which is how spot capacity ends, under the names that kubelets gave them over the years. */
const isShutdown = (reason: string): boolean => ["Terminated", "NodeShutdown", "Shutdown"].includes(reason)

const disrupted = (
  pod: Pod,
  { message, reason }: { readonly reason?: string; readonly message?: string }
): ExitReason => {
  const detail = worded(undefined, message) || (reason ?? "the cluster wants it gone")
  switch (reason) {
    case "PreemptionByScheduler":
      return new Preempted({ detail })
    case "DeletionByPodGC":
      return new NodeLost({ node: nodeOf(pod) })
    case "DeletionByTaintManager":
      // any NoExecute taint does this; that of a lost node comes after the node's silence
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
