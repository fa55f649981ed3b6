/**
 * The calls to the API server that runners need, all in one namespace.
 *
 * Every call is interruptible and bounded in time. Single calls retry if that is safe and the error is retryable. A watch
 * does not retry: only its reader knows the resource version to go on from.
 */
import type { Duplex } from "node:stream"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { ClusterEvent, Job, List, Pod, Secret, WatchEvent } from "../object/KubeObjects.ts"
import type { Self } from "./KubeConnection.ts"
import type { KubeError } from "./KubeError.ts"
import * as PodLabels from "../object/PodLabels.ts"

/**
 * The rights of this process in the namespace, as the API server lists them.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rules {
  /** Whether the list is incomplete: a right that is not listed may still exist. */
  readonly incomplete: boolean
  readonly rules: ReadonlyArray<{
    readonly verbs: ReadonlyArray<string>
    readonly apiGroups?: ReadonlyArray<string>
    readonly resources?: ReadonlyArray<string>
    readonly resourceNames?: ReadonlyArray<string>
  }>
}

/**
 * Options of a deletion.
 *
 * @since 0.1.0
 * @category options
 */
export interface DeleteOptions {
  /** Deletes the object only if it has this uid. */
  readonly uid?: string
  /** Seconds from SIGTERM to SIGKILL. Default: the pod's `terminationGracePeriodSeconds`. */
  readonly gracePeriodSeconds?: number
}

/**
 * The API server, as the backend of pods uses it.
 *
 * `KubeClientLive.layer` is the real one; `KubeMock` of `effect-flame/testing` is a cluster in memory.
 *
 * @since 0.1.0
 * @category services
 */
export class KubeClient extends Context.Service<
  KubeClient,
  {
    /** The API server's address, for messages. */
    readonly server: string
    /** The namespace of every object here. */
    readonly namespace: string
    /** The user, as far as the token or the kubeconfig tells. The API server may know another name: see `whoAmI`. */
    readonly user: string | undefined
    /** The pod of this process, if its token names one. */
    readonly self: Self | undefined
    /** How many requests were sent, by verb and resource, such as `create pods`. */
    readonly requests: () => Readonly<Record<string, number>>
    /**
     * The API server's time in milliseconds, by the `Date` of its last answer and the monotonic clock since; undefined before
     * the first answer. Timestamps of the API server are compared with this time alone. Optional: without it, durations
     * count from the moment when this process hears of them.
     */
    readonly serverTime?: () => number | undefined
    readonly getPod: (name: string) => Effect.Effect<Pod, KubeError>
    /**
     * Creates a pod. At most 20 at once, then 10 a second.
     *
     * A retry that finds a pod of that name with the same annotations `flame.dev/life` and `flame.dev/runner` succeeds with
     * that pod: an earlier try created it.
     */
    readonly createPod: (pod: Pod, options?: { readonly dryRun?: boolean }) => Effect.Effect<Pod, KubeError>
    /** Deletes a pod. Succeeds if there is no such pod, or if the pod of that name has another uid. */
    readonly deletePod: (name: string, options?: DeleteOptions) => Effect.Effect<void, KubeError>
    /** Lists pods by a label selector, from the watch cache (`resourceVersion=0`) unless `exact`. */
    readonly listPods: (selector: string, options?: { readonly exact?: boolean }) => Effect.Effect<List<Pod>, KubeError>
    /**
     * A watch, from a resource version on. Ends when the server ends it; fails if the connection breaks or is silent for
     * 75 s. `accepted` runs when the server has accepted the watch, which may be long before the first event.
     */
    readonly watchPods: (
      selector: string,
      resourceVersion: string,
      accepted?: Effect.Effect<void>
    ) => Stream.Stream<WatchEvent<Pod>, KubeError>
    /** The cluster's events about one object, oldest first. */
    readonly events: (uid: string) => Effect.Effect<ReadonlyArray<ClusterEvent>, KubeError>
    /** The last lines of a container's output. */
    readonly podLog: (name: string, container: string, lines: number) => Effect.Effect<string, KubeError>
    /** Creates a Secret. A retry may find its own earlier Secret, and then fails with `AlreadyExists`. */
    readonly createSecret: (secret: Secret) => Effect.Effect<Secret, KubeError>
    /** Deletes a Secret; false if there is none of that name, or if that one has another uid. */
    readonly deleteSecret: (name: string, options?: { readonly uid?: string }) => Effect.Effect<boolean, KubeError>
    /**
     * Creates a Job. The requests about Jobs are optional: without them, or without the right to them, a killed parent leaves
     * more behind.
     */
    readonly createJob?: (job: Job) => Effect.Effect<Job, KubeError>
    readonly getJob?: (name: string) => Effect.Effect<Job, KubeError>
    /**
     * Sets the seconds that a finished Job is kept. Returns false if there is no such Job, or if the Job of that name has
     * another uid.
     */
    readonly extendJob?: (name: string, uid: string, seconds: number) => Effect.Effect<boolean, KubeError>
    /** Deletes a Job, and what it owns afterwards; false if there is none of that name, or if that one has another uid. */
    readonly deleteJob?: (name: string, options?: { readonly uid?: string }) => Effect.Effect<boolean, KubeError>
    /** The rights of this process in the namespace. */
    readonly rulesReview: Effect.Effect<Rules, KubeError>
    /** The name of this process's user as the API server sees it. */
    readonly whoAmI: Effect.Effect<string, KubeError>
    /** A pipe to a port on a pod's own loopback, through the API server. */
    readonly portForward: (pod: string, port: number) => Effect.Effect<Duplex, KubeError, Scope.Scope>
  }
>()("effect-flame/KubeClient") {}

/** Whether a pod was created by this life, for the same runner. */
export const isSame = ({ metadata: wanted }: Pod, { metadata: there }: Pod): boolean =>
  wanted.annotations?.[PodLabels.life] !== undefined &&
  wanted.annotations[PodLabels.life] === there.annotations?.[PodLabels.life] &&
  wanted.annotations[PodLabels.runner] === there.annotations[PodLabels.runner]
