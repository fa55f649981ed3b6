/**
 * Scripts for the pods of `KubeMock`: the steps of a pod, with the reasons and messages of real clusters.
 *
 * ```ts
 * import { PodScript } from "effect-flame/testing"
 *
 * // the image cannot be pulled
 * const broken = [
 *   PodScript.scheduled("10 millis"),
 *   PodScript.waiting("500 millis", "ErrImagePull", "not found"),
 *   PodScript.waiting("16 seconds", "ImagePullBackOff", "Back-off pulling image")
 * ]
 * // it runs, and is killed for its memory after a minute
 * const killed = [...PodScript.boots, PodScript.terminated("1 minute", { exitCode: 137, reason: "OOMKilled" })]
 * ```
 */
import type * as Duration from "effect/Duration"
import type { Condition, ContainerState, Pod, PodStatus } from "../kubernetes/object/KubeObjects.ts"

/**
 * A change of a pod, `after` the change before it. `undefined` as the result removes the pod.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly after: Duration.Input
  readonly change: (pod: Pod, now: string) => Pod | undefined
}

/**
 * The life of a pod from its creation on.
 *
 * @category models
 * @since 0.1.0
 */
export type Script = ReadonlyArray<Step>

const withStatus = (pod: Pod, status: Partial<PodStatus>): Pod => ({ ...pod, status: { ...pod.status, ...status } })

const withCondition = (pod: Pod, condition: Condition): Pod =>
  withStatus(pod, {
    conditions: [...(pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type), condition]
  })

const withState = (pod: Pod, state: ContainerState): Pod =>
  withStatus(pod, {
    containerStatuses: pod.spec.containers.map(({ image = "", name }) => ({
      name,
      image,
      imageID: "",
      ready: state.running !== undefined,
      started: state.running !== undefined,
      restartCount: 0,
      state
    }))
  })

/**
 * Changes the pod in any way.
 *
 * @since 0.1.0
 * @category testing
 */
export const step = (after: Duration.Input, change: Step["change"]): Step => ({ after, change })

/**
 * Gives the pod a node.
 *
 * @since 0.1.0
 * @category testing
 */
export const scheduled = (after: Duration.Input, node = "node1"): Step =>
  step(after, (pod, now) =>
    withCondition(
      { ...pod, spec: { ...pod.spec, nodeName: node } },
      { type: "PodScheduled", status: "True", lastTransitionTime: now }
    )
  )

/**
 * Keeps the pod without a node, with the message of the scheduler.
 *
 * @since 0.1.0
 * @category testing
 */
export const unschedulable = (
  after: Duration.Input,
  message = "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible."
): Step =>
  step(after, (pod, lastTransitionTime) =>
    withCondition(pod, { type: "PodScheduled", status: "False", reason: "Unschedulable", message, lastTransitionTime })
  )

/**
 * Lets all containers wait, for a reason such as `ContainerCreating`, `ErrImagePull` or `CreateContainerConfigError`.
 *
 * @since 0.1.0
 * @category testing
 */
export const waiting = (after: Duration.Input, reason: string, message?: string): Step =>
  step(after, (pod) => withState(pod, { waiting: message === undefined ? { reason } : { reason, message } }))

/**
 * Lets all containers run, and gives the pod an address.
 *
 * @since 0.1.0
 * @category testing
 */
export const running = (after: Duration.Input, podIP = "10.0.0.1"): Step =>
  step(after, (pod, now) =>
    withState(
      withCondition(withStatus(pod, { phase: "Running", podIP, podIPs: [{ ip: podIP }], startTime: now }), {
        type: "Ready",
        status: "True",
        lastTransitionTime: now
      }),
      { running: { startedAt: now } }
    )
  )

/**
 * The end of a container.
 *
 * @since 0.1.0
 * @category testing
 */
export interface Ended {
  readonly exitCode: number
  /** Default `Completed` or `Error`, by the exit code. */
  readonly reason?: string
  readonly signal?: number
  readonly message?: string
}

/**
 * Ends all containers. The phase of the pod follows with `finished`, as with a kubelet.
 *
 * @since 0.1.0
 * @category testing
 */
export const terminated = (after: Duration.Input, ended: Ended): Step =>
  step(after, (pod, now) => withState(pod, terminatedState(ended, pod, now)))

/**
 * Sets the phase after `terminated`.
 *
 * @since 0.1.0
 * @category testing
 */
export const finished = (after: Duration.Input = "1 second"): Step =>
  step(after, (pod) => {
    const codes = (pod.status?.containerStatuses ?? []).map(({ state }) => state?.terminated?.exitCode)
    return withStatus(pod, { phase: codes.every((code) => code === 0) ? "Succeeded" : "Failed" })
  })

/**
 * The state of a container after `terminated`.
 *
 * @since 0.1.0
 * @category testing
 */
export const terminatedState = (
  { exitCode, message, reason, signal }: Ended,
  pod: Pod,
  now: string
): ContainerState => ({
  terminated: {
    exitCode,
    reason: reason ?? (exitCode === 0 ? "Completed" : "Error"),
    ...(signal === undefined ? {} : { signal }),
    ...(message === undefined ? {} : { message }),
    ...(pod.status?.startTime === undefined ? {} : { startedAt: pod.status.startTime }),
    finishedAt: now
  }
})

/**
 * Fails the whole pod, for a reason such as `Evicted`, `OutOfcpu` or `NodeShutdown`. Its containers are not reported any more.
 *
 * @since 0.1.0
 * @category testing
 */
export const failed = (after: Duration.Input, reason: string, message = ""): Step =>
  step(after, (pod) => withStatus(pod, { phase: "Failed", reason, message, containerStatuses: [] }))

/**
 * Announces the deletion of the pod, for a reason such as `EvictionByEvictionAPI`, `PreemptionByScheduler` or
 * `DeletionByTaintManager`.
 *
 * @since 0.1.0
 * @category testing
 */
export const disrupted = (after: Duration.Input, reason: string, message = ""): Step =>
  step(after, (pod, now) => {
    const grace = pod.spec.terminationGracePeriodSeconds ?? 30
    const deletionTimestamp = new Date(Date.parse(now) + grace * 1000).toISOString()
    return withCondition(
      { ...pod, metadata: { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: grace } },
      { type: "DisruptionTarget", status: "True", reason, message, lastTransitionTime: now }
    )
  })

/**
 * Removes the pod.
 *
 * @since 0.1.0
 * @category testing
 */
export const gone = (after: Duration.Input): Step => step(after, () => undefined)

/**
 * A pod that starts as fast as where the node has its image, and runs.
 *
 * @since 0.1.0
 * @category testing
 */
export const boots: Script = [scheduled("10 millis"), waiting("20 millis", "ContainerCreating"), running("300 millis")]

/**
 * As `boots`, without any time between the steps: nothing has to move the clock of a test.
 *
 * @since 0.1.0
 * @category testing
 */
export const bootsAtOnce: Script = [scheduled(0), waiting(0, "ContainerCreating"), running(0)]
