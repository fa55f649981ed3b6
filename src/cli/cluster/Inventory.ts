/**
 * Pure: the parents, pools and runners of a namespace, by the labels of their objects alone.
 *
 * No parent has to answer. Objects are found by `app.kubernetes.io/managed-by`, and grouped by `flame.dev/parent`.
 */
import type { Job, Metadata, Pod } from "../../kubernetes/object/KubeObjects.ts"
import * as PodLabels from "../../kubernetes/object/PodLabels.ts"
import * as PodDiagnosis from "../../kubernetes/verdict/PodDiagnosis.ts"
import { runnerOf } from "../../kubernetes/verdict/PodFacts.ts"

/** The objects of a namespace at one moment. */
export interface Snapshot {
  /** Milliseconds of the API server's clock. */
  readonly now: number
  /** All pods of the namespace: parents are among them. */
  readonly pods: ReadonlyArray<Pod>
  /** Jobs of parents; undefined without the right to list them. */
  readonly jobs: ReadonlyArray<Job> | undefined
  /** Metadata of the Secrets of parents; undefined without the right to list them. */
  readonly secrets: ReadonlyArray<{ readonly metadata: Metadata }> | undefined
}

export type RunnerState = "waiting" | "booting" | "running" | "leaving" | "ended"

/** A runner, by its pod. */
export interface RunnerView {
  readonly id: string
  readonly pool: string
  readonly pod: string
  readonly uid: string
  readonly life: string
  readonly state: RunnerState
  /** The reason of a boot that waits or fails, and of a runner that leaves or has ended. */
  readonly detail?: string
  readonly node?: string
  readonly image?: string
  /** Milliseconds of the API server's clock. */
  readonly createdAt: number
}

/** A parent: a process in a pod, or a process outside of the cluster. */
export interface ParentView {
  /** Value of the label `flame.dev/parent`. */
  readonly parent: string
  /** The pod's name, else the name in the process's annotation, else the label. */
  readonly name: string
  readonly isInCluster: boolean
  /** The lives whose objects exist. A process that restarted may have left objects of its former life. */
  readonly lives: ReadonlyArray<string>
  /** The pod of a parent in the cluster, if that pod is there. */
  readonly pod?: Pod
  readonly runners: ReadonlyArray<RunnerView>
}

/** The label selector of the objects of all parents. */
export const selector = `${PodLabels.managedBy}=effect-flame`

const uidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/

/** The uid of a parent's pod, by its label; undefined for a parent outside of the cluster. */
export const podUidOf = (parent: string): string | undefined => uidPattern.exec(parent)?.[0]

/** The name of the container in a parent's label; undefined if the label holds a hash of it. */
export const containerOf = (parent: string): string | undefined => {
  const [, container, instance] = /^[0-9a-f-]{36}\.([^.]+)\.([^.]+)$/.exec(parent) ?? []
  return instance === undefined ? undefined : container
}

export const isRunner = ({ metadata: { labels = {} } }: { readonly metadata: Metadata }): boolean =>
  labels[PodLabels.managedBy] === "effect-flame" && labels[PodLabels.role] === "runner"

export const parentOf = ({ labels = {} }: Metadata): string => labels[PodLabels.parent] ?? ""

export const lifeOf = ({ annotations = {} }: Metadata): string => annotations[PodLabels.life] ?? ""

/** The process outside of the cluster that an object names as its parent. */
export const processOf = ({ annotations = {} }: Metadata): PodLabels.ProcessMark | undefined =>
  PodLabels.readProcess(annotations[PodLabels.process])

/** Milliseconds of a timestamp of the API server; 0 if there is none. */
export const millisOf = (timestamp: string | undefined): number => Date.parse(timestamp ?? "") || 0

const stateOf = (pod: Pod, now: number): Pick<RunnerView, "state" | "detail"> => {
  const exit = PodDiagnosis.exitOf(pod, false)
  if (exit !== undefined) return { state: "ended", detail: exit.reason.message }
  const leaving = PodDiagnosis.leavingOf(pod, 0)
  if (leaving !== undefined) return { state: "leaving", detail: leaving.why }
  const { verdict } = PodDiagnosis.bootOf(pod, { now, stuckSince: undefined })
  const isRunning = runnerOf(pod)?.state?.running !== undefined
  switch (verdict._tag) {
    case "Waiting":
      if (isRunning) return { state: "running" }
      return verdict.detail === undefined
        ? { state: pod.spec.nodeName === undefined ? "waiting" : "booting" }
        : { state: "waiting", detail: verdict.detail }
    default:
      return { state: "waiting", detail: verdict.cause.message }
  }
}

/** A runner by its pod. */
export const runnerView = (pod: Pod, now: number): RunnerView => {
  const { annotations = {}, labels = {}, name = "", uid = "" } = pod.metadata
  const image = pod.spec.containers.find((container) => container.name === "runner")?.image
  return {
    id: annotations[PodLabels.runner] ?? name,
    pool: labels[PodLabels.pool] ?? "",
    pod: name,
    uid,
    life: lifeOf(pod.metadata),
    ...stateOf(pod, now),
    ...(pod.spec.nodeName === undefined ? {} : { node: pod.spec.nodeName }),
    ...(image === undefined ? {} : { image }),
    createdAt: millisOf(pod.metadata.creationTimestamp)
  }
}

/** The text that names a process outside of the cluster. */
export const nameOfProcess = ({ host, pid, program, user }: PodLabels.ProcessMark): string =>
  `${user}@${host} ${program} (pid ${pid})`

/** Parents by name, each with its runners by pool and age. */
export const parentsOf = ({ jobs = [], now, pods, secrets = [] }: Snapshot): ReadonlyArray<ParentView> => {
  const runners = pods.filter(isRunner)
  const others = [...jobs, ...secrets]
  const all = new Set([...runners, ...others].map(({ metadata }) => parentOf(metadata)))
  const view = (parent: string): ParentView => {
    const uid = podUidOf(parent)
    const pod = uid === undefined ? undefined : pods.find(({ metadata }) => metadata.uid === uid)
    const own = [...others, ...runners].filter(({ metadata }) => parentOf(metadata) === parent)
    const mark = own.map(({ metadata }) => processOf(metadata)).find((each) => each !== undefined)
    return {
      parent,
      name: pod?.metadata.name ?? ownerPodOf(own) ?? (mark === undefined ? parent : nameOfProcess(mark)),
      isInCluster: uid !== undefined,
      lives: [...new Set(own.map(({ metadata }) => lifeOf(metadata)))],
      ...(pod === undefined ? {} : { pod }),
      runners: ownRunners(runners, parent, now)
    }
  }
  return [...all]
    .map(view)
    .toSorted((left, right) => left.name.localeCompare(right.name) || left.parent.localeCompare(right.parent))
}

const ownRunners = (runners: ReadonlyArray<Pod>, parent: string, now: number): ReadonlyArray<RunnerView> =>
  runners
    .filter(({ metadata }) => parentOf(metadata) === parent)
    .map((each) => runnerView(each, now))
    .toSorted((left, right) => left.pool.localeCompare(right.pool) || left.createdAt - right.createdAt)

/** The name of the parent's pod, by the owner of its objects. */
const ownerPodOf = (objects: ReadonlyArray<{ readonly metadata: Metadata }>): string | undefined =>
  objects.flatMap(({ metadata }) => metadata.ownerReferences ?? []).find(({ kind }) => kind === "Pod")?.name
