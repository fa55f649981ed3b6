/**
 * The few calls to the API server that runners need, all in one namespace.
 *
 * Every call is interruptible and bounded in time. Single calls try again by themselves where that is safe and the error
 * is retryable; a watch does not, because only its reader knows where to go on.
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

/** What a subject may do in the namespace, as the API server sums it up. */
export interface Rules {
  /** The server could not list everything: what is not there may still be allowed. */
  readonly incomplete: boolean
  readonly rules: ReadonlyArray<{
    readonly verbs: ReadonlyArray<string>
    readonly apiGroups?: ReadonlyArray<string>
    readonly resources?: ReadonlyArray<string>
    readonly resourceNames?: ReadonlyArray<string>
  }>
}

export interface DeleteOptions {
  /** Deletes it only while it is this very object. */
  readonly uid?: string
  /** Seconds from SIGTERM to SIGKILL; what the pod says where not given. */
  readonly gracePeriodSeconds?: number
}

export class KubeClient extends Context.Service<
  KubeClient,
  {
    /** The API server's address, for messages. */
    readonly server: string
    /** The namespace that everything here is in. */
    readonly namespace: string
    /** Name of the cluster's user or service account as far as known here, for messages. */
    readonly user: string | undefined
    /** The pod that this process is in, where its own token says so. */
    readonly self: Self | undefined
    /** How many requests were sent so far, by verb and resource, such as `create pods`. */
    readonly requests: () => Readonly<Record<string, number>>
    /**
     * The API server's time in milliseconds, by the `Date` of its last answer and the monotonic clock since; undefined before
     * the first answer. Timestamps of the API server are compared with this time alone. Optional: without it, durations
     * count from the moment when this process hears of them.
     */
    readonly serverTime?: () => number | undefined
    readonly getPod: (name: string) => Effect.Effect<Pod, KubeError>
    /**
     * Creates a pod, tried again by its name: one that is there already with the same annotations `flame.dev/life` and
     * `flame.dev/runner` is the answer to our own earlier try. At most 10 a second, after 20 at once.
     */
    readonly createPod: (pod: Pod, options?: { readonly dryRun?: boolean }) => Effect.Effect<Pod, KubeError>
    /** Deletes a pod; one that is not there (404), or is another one by now (409), is deleted. */
    readonly deletePod: (name: string, options?: DeleteOptions) => Effect.Effect<void, KubeError>
    /** Lists pods by a label selector, from the watch cache (`resourceVersion=0`) unless told otherwise. */
    readonly listPods: (selector: string, options?: { readonly exact?: boolean }) => Effect.Effect<List<Pod>, KubeError>
    /** One watch, from a resource version on; ends when the server ends it, fails when the connection breaks or is silent for 75 s. */
    readonly watchPods: (selector: string, resourceVersion: string) => Stream.Stream<WatchEvent<Pod>, KubeError>
    /** What the cluster tells about one object, oldest first. */
    readonly events: (uid: string) => Effect.Effect<ReadonlyArray<ClusterEvent>, KubeError>
    /** The last lines of a container's output. */
    readonly podLog: (name: string, container: string, lines: number) => Effect.Effect<string, KubeError>
    readonly createSecret: (secret: Secret) => Effect.Effect<Secret, KubeError>
    /** Deletes a Secret; false where there was none of that name, or another one by now. */
    readonly deleteSecret: (name: string, options?: { readonly uid?: string }) => Effect.Effect<boolean, KubeError>
    /** Creates a Job. The calls about Jobs are optional: without them, or the right to them, a killed parent leaves more behind. */
    readonly createJob?: (job: Job) => Effect.Effect<Job, KubeError>
    readonly getJob?: (name: string) => Effect.Effect<Job, KubeError>
    /** Sets the seconds that a finished Job is kept; false where there is no such Job any more, or another one of its name. */
    readonly extendJob?: (name: string, uid: string, seconds: number) => Effect.Effect<boolean, KubeError>
    /** Deletes a Job, and what it owns afterwards; false where there is none of that name, or another one by now. */
    readonly deleteJob?: (name: string, options?: { readonly uid?: string }) => Effect.Effect<boolean, KubeError>
    readonly rulesReview: Effect.Effect<Rules, KubeError>
    /** A pipe to a port on a pod's own loopback, through the API server. */
    readonly portForward: (pod: string, port: number) => Effect.Effect<Duplex, KubeError, Scope.Scope>
  }
>()("effect-flame/KubeClient") {}

/** Whether a pod of the same name is the one that was to be created: made by this life, for this runner. */
export const isSame = ({ metadata: wanted }: Pod, { metadata: there }: Pod): boolean =>
  wanted.annotations?.[PodLabels.life] !== undefined &&
  wanted.annotations[PodLabels.life] === there.annotations?.[PodLabels.life] &&
  wanted.annotations[PodLabels.runner] === there.annotations[PodLabels.runner]
