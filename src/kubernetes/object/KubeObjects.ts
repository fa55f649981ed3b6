/**
 * Objects of the API server, as its JSON has them: the fields that this package reads, each of which may be missing.
 *
 * The models of a client library are not used: loading them takes half a second, and they turn every date into an object.
 */

/** A value of JSON. */
export type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json | undefined }

/** An object whose fields this package mostly passes on as they are. */
export interface Fields {
  readonly [key: string]: Json | undefined
}

export interface Metadata {
  readonly name?: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
  readonly deletionGracePeriodSeconds?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: ReadonlyArray<OwnerReference>
}

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: Fields
}

export interface Container {
  readonly name: string
  readonly image?: string
  readonly imagePullPolicy?: string
  readonly command?: ReadonlyArray<string>
  readonly args?: ReadonlyArray<string>
  readonly workingDir?: string
  readonly env?: ReadonlyArray<EnvVar>
  readonly envFrom?: ReadonlyArray<Fields>
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>
    readonly limits?: Readonly<Record<string, string>>
    readonly claims?: ReadonlyArray<Fields>
  }
  readonly securityContext?: Fields
  readonly volumeMounts?: ReadonlyArray<{ readonly name: string; readonly mountPath: string } & Fields>
  readonly lifecycle?: Fields
  readonly terminationMessagePolicy?: string
  readonly ports?: ReadonlyArray<Fields>
  readonly restartPolicy?: string
}

export interface PodSpec {
  readonly containers: ReadonlyArray<Container>
  readonly initContainers?: ReadonlyArray<Container>
  readonly restartPolicy?: string
  readonly nodeName?: string
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly serviceAccountName?: string
  readonly automountServiceAccountToken?: boolean
  readonly imagePullSecrets?: ReadonlyArray<{ readonly name: string }>
  readonly tolerations?: ReadonlyArray<Fields>
  readonly affinity?: Fields
  readonly topologySpreadConstraints?: ReadonlyArray<Fields>
  readonly securityContext?: Fields
  readonly hostNetwork?: boolean
  readonly hostUsers?: boolean
  readonly os?: Fields
  /** Requests and limits of the whole pod, beside those of its containers. */
  readonly resources?: Container["resources"]
  readonly dnsPolicy?: string
  readonly dnsConfig?: Fields
  readonly hostAliases?: ReadonlyArray<Fields>
  readonly priorityClassName?: string
  readonly runtimeClassName?: string
  readonly schedulerName?: string
  readonly enableServiceLinks?: boolean
  readonly shareProcessNamespace?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly activeDeadlineSeconds?: number
  readonly volumes?: ReadonlyArray<{ readonly name: string } & Fields>
  readonly readinessGates?: ReadonlyArray<{ readonly conditionType: string }>
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: {
    readonly exitCode: number
    readonly signal?: number
    readonly reason?: string
    readonly message?: string
    readonly startedAt?: string
    readonly finishedAt?: string
  }
}

export interface ContainerStatus {
  readonly name: string
  readonly image?: string
  readonly imageID?: string
  readonly containerID?: string
  readonly ready?: boolean
  readonly started?: boolean
  readonly restartCount?: number
  readonly state?: ContainerState
  readonly lastState?: ContainerState
}

export interface PodStatus {
  readonly phase?: string
  readonly reason?: string
  readonly message?: string
  readonly podIP?: string
  readonly podIPs?: ReadonlyArray<{ readonly ip: string }>
  readonly hostIP?: string
  readonly startTime?: string
  readonly conditions?: ReadonlyArray<Condition>
  readonly containerStatuses?: ReadonlyArray<ContainerStatus>
  readonly initContainerStatuses?: ReadonlyArray<ContainerStatus>
}

export interface Pod {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: Metadata
  readonly spec: PodSpec
  readonly status?: PodStatus
}

export interface Secret {
  readonly metadata: Metadata
  /** Values in plain text; the API server encodes them. */
  readonly stringData?: Readonly<Record<string, string>>
}

/** A Job, as far as `Lifeline` uses one. */
export interface Job {
  readonly metadata: Metadata
  readonly spec: {
    readonly completions: number
    readonly parallelism: number
    readonly ttlSecondsAfterFinished: number
    readonly template: { readonly spec: PodSpec }
  }
  readonly status?: { readonly completionTime?: string }
}

/** An event that the cluster reports about an object. */
export interface ClusterEvent {
  readonly type?: string
  readonly reason?: string
  readonly message?: string
  readonly count?: number
  readonly firstTimestamp?: string
  readonly lastTimestamp?: string
  readonly eventTime?: string
  readonly involvedObject?: { readonly name?: string; readonly uid?: string }
}

export interface List<A> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items: ReadonlyArray<A>
}

/** A line of a watch. The object of an ERROR is a Status, and arrives inside of an answer with status 200. */
export type WatchEvent<A> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: A }
  | { readonly type: "BOOKMARK"; readonly object: { readonly metadata: Metadata } }
  | { readonly type: "ERROR"; readonly object: Status }

/** The body of an answer whose status is not 2xx. */
export interface Status {
  readonly code?: number
  readonly reason?: string
  readonly message?: string
  readonly details?: {
    readonly name?: string
    readonly kind?: string
    readonly group?: string
    readonly retryAfterSeconds?: number
    readonly causes?: ReadonlyArray<{ readonly reason?: string; readonly message?: string; readonly field?: string }>
  }
}
