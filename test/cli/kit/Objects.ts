/** Objects of a namespace, as an API server lists them, with the fields that a test does not care about. */
import * as Lifeline from "../../../src/kubernetes/hub/Lifeline.ts"
import type { ContainerState, Job, Metadata, OwnerReference, Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import * as PodLabels from "../../../src/kubernetes/object/PodLabels.ts"
import type { Snapshot } from "../../../src/cli/cluster/Inventory.ts"

/** The moment of every snapshot. */
export const now = Date.parse("2026-01-01T12:00:00Z")

/** The timestamp of that many seconds before `now`. */
export const ago = (seconds: number): string => new Date(now - seconds * 1_000).toISOString()

export const uid = "11111111-2222-3333-4444-555555555555"

/** The parent in container `app` of the pod with `uid`. */
export const inCluster = `${uid}.app.0`
export const external = "ext-0123456789abcdef"

interface Of {
  readonly parent?: string
  readonly life?: string
  /** Seconds before `now`. */
  readonly age?: number
  readonly mark?: PodLabels.ProcessMark
  readonly owner?: OwnerReference
}

const metadata = (name: string, { age = 300, life = "life1", mark, owner, parent = inCluster }: Of): Metadata => ({
  name,
  uid: `uid-${name}`,
  creationTimestamp: ago(age),
  labels: { [PodLabels.managedBy]: "effect-flame", [PodLabels.parent]: parent },
  annotations: {
    [PodLabels.life]: life,
    ...(mark === undefined ? {} : { [PodLabels.process]: JSON.stringify(mark) })
  },
  ...(owner === undefined ? {} : { ownerReferences: [owner] })
})

export const secret = (of: Of = {}, name = "key") => ({ metadata: metadata(name, of) })

/** A Job that its parent extended that many seconds before `now`. */
export const job = (of: Of & { readonly extended?: number } = {}, name = "job"): Job => {
  const { age = 300, extended = 0 } = of
  return {
    metadata: metadata(name, of),
    spec: {
      completions: 0,
      parallelism: 0,
      ttlSecondsAfterFinished: Lifeline.timeToLive + age - extended,
      template: { spec: { containers: [] } }
    },
    status: { completionTime: ago(age) }
  }
}

/** A runner's pod: running, or with another state of its container. */
export const runner = (
  of: Of & { readonly state?: ContainerState; readonly phase?: string; readonly pool?: string } = {},
  name = "runner-1"
): Pod => {
  const { phase = "Running", pool = "app", state = { running: { startedAt: ago(of.age ?? 300) } } } = of
  const base = metadata(name, of)
  return {
    metadata: {
      ...base,
      labels: { ...base.labels, [PodLabels.role]: "runner", [PodLabels.pool]: pool },
      annotations: { ...base.annotations, [PodLabels.runner]: name }
    },
    spec: { nodeName: "node1", containers: [{ name: "runner", image: "app:1" }] },
    status: { phase, containerStatuses: [{ name: "runner", state }] }
  }
}

export const pendingState: ContainerState = { waiting: { reason: "ContainerCreating" } }

export const endedState = (seconds: number, exitCode = 0): ContainerState => ({
  terminated: { exitCode, finishedAt: ago(seconds) }
})

/** The parent's pod, with the state of its container. */
export const parentPod = (
  of: {
    readonly phase?: string
    readonly reason?: string
    readonly state?: ContainerState
    readonly lastState?: ContainerState
    readonly restarts?: number
  } = {}
): Pod => {
  const { lastState, phase = "Running", reason, restarts = 0, state = { running: { startedAt: ago(600) } } } = of
  return {
    metadata: { name: "app-1", uid, creationTimestamp: ago(600), labels: { app: "app" } },
    spec: { nodeName: "node1", containers: [{ name: "app", image: "app:1" }] },
    status: {
      phase,
      ...(reason === undefined ? {} : { reason }),
      containerStatuses: [
        { name: "app", state, restartCount: restarts, ...(lastState === undefined ? {} : { lastState }) }
      ]
    }
  }
}

export const snapshot = (of: Partial<Snapshot>): Snapshot => ({ now, pods: [], jobs: [], secrets: [], ...of })
