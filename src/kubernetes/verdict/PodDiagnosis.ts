/**
 * Diagnoses a boot by its pod: the phases that it has reached, what it waits for, and whether it can still succeed.
 * Pure.
 *
 * The pod and the events about it decide, and the caller gives the time. No verdict says that a runner serves: only its
 * connection proves that.
 */
import type { BootPhase } from "../../backend/Backend.ts"
import {
  type BootFailure,
  Crashed,
  InvalidSpec,
  NotARunner,
  ProcessExited,
  Removed,
  Unschedulable
} from "../../error/BootFailure.ts"
import { OutOfMemory, type RunnerExit } from "../../error/RunnerExit.ts"
import type { ClusterEvent, ContainerStatus, Pod } from "../object/KubeObjects.ts"
import { exitOf, leavingOf } from "./PodEnd.ts"
import {
  conditionOf,
  failedInitOf,
  memoryLimitOf,
  nodeOf,
  runnerOf,
  signalOf,
  type Terminated,
  worded
} from "./PodFacts.ts"
import { printable } from "../../error/PeerText.ts"
import { reportOf } from "../../backend/RunnerReport.ts"
import { containerName } from "../template/PodTemplate.ts"
import * as PodWaiting from "./PodWaiting.ts"

export { exitOf, leavingOf }

/** Facts that are not in the pod. */
export interface BootContext {
  /** Milliseconds of the wall clock. */
  readonly now: number
  /** `since` of the previous verdict, if that was `Fails`. */
  readonly stuckSince: number | undefined
  /** The cluster's events about the pod, if they were requested. */
  readonly events?: ReadonlyArray<ClusterEvent> | undefined
  /** The image for messages. Default: the image of the pod. */
  readonly image?: string | undefined
}

/** Whether the boot can still succeed. */
export type BootVerdict =
  /** Nothing is wrong so far. `askForEventsAt`: from then on only the cluster's events tell what the pod waits for. */
  | { readonly _tag: "Waiting"; readonly detail?: string; readonly askForEventsAt?: number }
  /** The boot fails with that cause at that time, unless a change of the pod comes before. */
  | { readonly _tag: "Fails"; readonly cause: BootFailure; readonly at: number; readonly since: number }
  /** The boot has failed for good. */
  | { readonly _tag: "Failed"; readonly cause: BootFailure }

/** The phases and the verdict. */
export interface Diagnosis {
  /** The phases that the pod has reached, in order. */
  readonly phases: ReadonlyArray<BootPhase>
  readonly verdict: BootVerdict
}

/** Milliseconds of creating a container after which the events are worth a request. */
const eventsAfter = 10_000

/** The state of the boot of a pod. */
export const bootOf = (pod: Pod, context: BootContext): Diagnosis => ({
  phases: phasesOf(pod),
  verdict: verdictOf(pod, context)
})

const phasesOf = (pod: Pod): ReadonlyArray<BootPhase> => {
  const runner = runnerOf(pod)
  const phases: Array<BootPhase> = []
  if (pod.spec.nodeName !== undefined) phases.push({ name: "scheduled", detail: pod.spec.nodeName })
  if (runner?.imageID) phases.push({ name: "pulled" })
  if (runner?.state?.running !== undefined) phases.push({ name: "started" })
  return phases
}

const failed = (cause: BootFailure): BootVerdict => ({ _tag: "Failed", cause })

// The order decides: a deleted pod may lack its image too, and an evicted pod has an exit code too.
const verdictOf = (pod: Pod, context: BootContext): BootVerdict => {
  const runner = runnerOf(pod)
  const terminated = runner?.state?.terminated
  const report = reportOf(terminated?.message)
  if (report !== undefined) return failed(report)
  if (pod.metadata.deletionTimestamp !== undefined) return failed(removed(pod))
  const ended = ofPhase(pod)
  if (ended !== undefined) return failed(ended)
  if (terminated !== undefined) return failed(ofProcess(pod, terminated))
  const init = failedInitOf(pod)
  if (init !== undefined) return failed(ofInit(init))
  const waiting = runner?.state?.waiting
  const rule = waiting?.reason === undefined ? undefined : PodWaiting.rules[waiting.reason]
  if (waiting?.reason !== undefined && rule !== undefined) {
    const { message, reason } = waiting
    return ofRule(rule, { reason, message, image: imageOf(pod, context), node: nodeOf(pod) }, context)
  }
  return pod.spec.nodeName === undefined ? unscheduled(pod, context) : creating(pod, context)
}

const imageOf = (pod: Pod, { image }: BootContext): string =>
  image ?? pod.spec.containers.find(({ name }) => name === containerName)?.image ?? "of the runner"

const ofRule = (rule: PodWaiting.WaitingRule, waiting: PodWaiting.Waiting, context: BootContext): BootVerdict => {
  const since = context.stuckSince ?? context.now
  const at = since + rule.grace(waiting)
  const cause = rule.cause(waiting)
  return at <= context.now ? failed(cause) : { _tag: "Fails", cause, at, since }
}

const removed = (pod: Pod): BootFailure => new Removed({ detail: why(pod) })

const why = (pod: Pod): string => leavingOf(pod, 0)?.why ?? "its pod is gone"

/**
 * Reasons of a failed pod that was taken from its node. A failed pod with any other reason and without container statuses
 * was refused by the kubelet of its node.
 */
const takenAway: ReadonlySet<string> = new Set([
  "Evicted",
  "Terminated",
  "NodeShutdown",
  "Shutdown",
  "NodeLost",
  "Preempting"
])

const ofPhase = (pod: Pod): BootFailure | undefined => {
  const { containerStatuses = [], message, phase, reason } = pod.status ?? {}
  if (phase !== "Failed" || reason === undefined) return undefined
  if (reason === "DeadlineExceeded")
    return new Removed({ detail: "its pod lived longer than its activeDeadlineSeconds" })
  if (takenAway.has(reason)) return new Removed({ detail: worded(reason, message) })
  // The scheduler chose the node, and the kubelet there disagreed.
  return containerStatuses.length === 0
    ? new Unschedulable({ detail: `${nodeOf(pod)} refused it: ${worded(reason, message)}` })
    : undefined
}

/** Reasons of a container whose program never ran. */
const unstartable: ReadonlySet<string> = new Set(["StartError", "ContainerCannotRun"])

const ofProcess = (pod: Pod, terminated: Terminated): BootFailure => {
  const { exitCode, message = "", reason = "" } = terminated
  if (reason === "OOMKilled") {
    const limit = memoryLimitOf(pod)
    return new OutOfMemory(limit === undefined ? {} : { limit })
  }
  if (unstartable.has(reason)) {
    const detail = `its command could not be started: ${printable(message.trim()) || reason}`
    return new InvalidSpec({ detail: `${detail}; correct \`command\`, or what the image runs by itself` })
  }
  if (exitCode === 0) return notARunner(printable(message))
  const signal = signalOf(terminated) ?? null
  return new ProcessExited({ code: signal === null ? exitCode : null, signal, stderr: printable(message) })
}

const notARunner = (stderr: string): BootFailure =>
  new NotARunner({
    detail:
      "its program ended with exit code 0 instead of serving: check that `command` starts the program with the functions, " +
      "and that this program provides FlameLayer and runs until its parent ends it",
    ...(stderr === "" ? {} : { stderr })
  })

const ofInit = ({ name, state }: ContainerStatus): BootFailure =>
  new Crashed({
    exitCode: state?.terminated?.exitCode ?? null,
    detail: worded(`its init container ${name} failed`, state?.terminated?.message || state?.terminated?.reason)
  })

const unscheduled = (pod: Pod, { events = [] }: BootContext): BootVerdict => {
  const scheduled = conditionOf(pod, "PodScheduled")
  if (scheduled?.status !== "False") return { _tag: "Waiting" }
  if (scheduled.reason === "SchedulingGated") {
    return { _tag: "Waiting", detail: "a scheduling gate, such as that of a queue, holds its pod back" }
  }
  const help = events.findLast(({ reason = "" }) => ["TriggeredScaleUp", "Nominated"].includes(reason))
  const words = scheduled.message ?? scheduled.reason ?? "the scheduler found no node for it"
  return { _tag: "Waiting", detail: help === undefined ? words : `${words} (${worded(help.reason, help.message)})` }
}

const creating = (pod: Pod, { events, now }: BootContext): BootVerdict => {
  const runner = runnerOf(pod)
  if (runner?.state?.running !== undefined) return { _tag: "Waiting" }
  if (events !== undefined) {
    const warning = events.findLast(({ type }) => type === "Warning")
    return warning === undefined
      ? { _tag: "Waiting" }
      : { _tag: "Waiting", detail: worded(warning.reason, warning.message) }
  }
  const began = Date.parse(conditionOf(pod, "PodScheduled")?.lastTransitionTime ?? "") || now
  // Clocks differ, so the time is bounded on both sides: not before now, and not later than for a pod scheduled now.
  return { _tag: "Waiting", askForEventsAt: Math.min(now + eventsAfter, Math.max(now, began + eventsAfter)) }
}

/** The cause of a failed boot, by the end of its runner. */
export const causeOf = ({ reason }: RunnerExit): BootFailure => {
  switch (reason._tag) {
    case "OutOfMemory":
      return reason
    case "Exited":
      return reason.code === 0
        ? notARunner(reason.stderr ?? "")
        : new ProcessExited({ code: reason.code, signal: null, stderr: reason.stderr ?? "" })
    case "Killed":
      return new ProcessExited({ code: null, signal: reason.signal, stderr: "" })
    default:
      return new Removed({ detail: reason.message })
  }
}

/** Whether the runner's output would explain more than the cause does. */
export const wantsLog = (cause: BootFailure): boolean =>
  (cause._tag === "ProcessExited" && cause.stderr.trim() === "") ||
  (cause._tag === "NotARunner" && (cause.stderr ?? "").trim() === "")

/** The cause with the end of the runner's output. */
export const withLog = (cause: BootFailure, log: string): BootFailure => {
  switch (cause._tag) {
    case "ProcessExited":
      return new ProcessExited({ code: cause.code, signal: cause.signal, stderr: printable(log) })
    case "NotARunner":
      return new NotARunner({ detail: cause.detail, stderr: printable(log) })
    default:
      return cause
  }
}
