/** The options that define the pods of runners. */
import type * as Redacted from "effect/Redacted"
import type { ContainerManifest, ResourceRequirements } from "../manifest/Containers.ts"
import type { ObjectMeta } from "../manifest/Metadata.ts"
import type { PodSpecManifest } from "../manifest/PodManifest.ts"
import type { Affinity, Toleration } from "../manifest/Scheduling.ts"
import type { PodSecurityContext, SecurityContext } from "../manifest/Security.ts"
import type { PodStatus } from "../object/KubeObjects.ts"

/**
 * A pod, as far as an app wants to define the pods of its runners. Any `V1Pod` of a client library is one.
 *
 * The container called `runner`, or else the first container, is the runner's. Other containers run beside it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Manifest {
  readonly metadata?: ObjectMeta
  readonly spec?: Partial<Omit<PodSpecManifest, "containers">> & {
    readonly containers?: ReadonlyArray<Partial<ContainerManifest>>
  }
}

/**
 * The parent's pod, as the API server has it. Dates are text.
 *
 * @since 0.1.0
 * @category models
 */
export interface ParentManifest {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: ObjectMeta
  readonly spec: PodSpecManifest
  readonly status?: PodStatus
}

/**
 * The pods of runners.
 *
 * Without options a runner is the parent's own container again. Its pod inherits:
 *
 * - the image by digest, command, arguments, working directory, environment, security context
 * - requests and limits other than of CPU, of the container and of the pod
 * - pull secrets, node selector, tolerations, node affinity, priority, scheduler, runtime class
 * - DNS settings, host aliases, `hostUsers`, and the `emptyDir` at `/tmp` if the root file system is read-only
 *
 * Never inherited: labels, annotations, other volumes, ports, probes, other containers, the service account and its token. One
 * warning lists what is left out of the parent's specification.
 *
 * Each option, here or in `manifest`, replaces the inherited value as a whole: `[]`, `{}` and `""` mean none. Variables,
 * labels and annotations are merged by name. Options here override `manifest`.
 *
 * @since 0.1.0
 * @category options
 */
export interface PodOptions {
  /**
   * A manifest, or a function that makes one of the parent's pod and container. Default: nothing beyond what is inherited.
   *
   * The backend always sets the names of pod and container, the namespace, `restartPolicy: Never`, the owner, and the
   * variables `POD_NAME`, `POD_NAMESPACE`, `POD_IP` and `FLAME_RUNNER_*`.
   */
  readonly manifest?: Manifest | ((parent: ParentManifest, container: ContainerManifest) => Manifest)
  /**
   * The container of the parent's pod that this program runs in. Default: the container that the process finds by its
   * mounts or its control group, else that of the annotation `kubectl.kubernetes.io/default-container`, else the only one.
   *
   * A name that contradicts what the process finds fails the boot with `InvalidSpec`.
   */
  readonly container?: string
  /** The image. Default: the parent's, by digest. A parent outside of the cluster must set an image. */
  readonly image?: string
  /** The command. Default: the parent's. With a command, the parent's arguments are not inherited. */
  readonly command?: ReadonlyArray<string>
  /** The arguments. Default: the parent's, unless `command` is set. */
  readonly args?: ReadonlyArray<string>
  /** Variables that override inherited ones and those of `manifest`. `undefined` removes a variable. Default: none. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Variables whose values lie in a Secret of this parent, and not in the pod. Default: none. */
  readonly secretEnv?: Readonly<Record<string, Redacted.Redacted<string>>>
  /**
   * Names of volumes of the parent's pod that runners mount too, where the parent mounts them. Each adds 0.3 s to a boot.
   *
   * Default: the `emptyDir` at `/tmp`, if the root file system is read-only. `[]` leaves that out too.
   */
  readonly volumes?: ReadonlyArray<string>
  /** Requests and limits. Default: the parent's, without its CPU limit: with a limit below 1 a boot takes seconds. */
  readonly resources?: ResourceRequirements
  /**
   * Labels of runners. Default: none.
   *
   * A label that the parent has with the same value is rejected: its ReplicaSet and Services would select the runner.
   */
  readonly labels?: Readonly<Record<string, string>>
  /** Annotations of runners. Default: none. */
  readonly annotations?: Readonly<Record<string, string>>
  /** The node selector. Default: the parent's. */
  readonly nodeSelector?: Readonly<Record<string, string>>
  /** The tolerations. Default: the parent's. Runners also tolerate a lost node for 30 s, unless one of these says otherwise. */
  readonly tolerations?: ReadonlyArray<Toleration>
  /** The affinity. Default: the parent's affinity to nodes. */
  readonly affinity?: Affinity
  /** The priority class. Default: the parent's. */
  readonly priorityClassName?: string
  /** The service account of runners. Default: the namespace's `default`, without a token. */
  readonly serviceAccountName?: string
  /** Names of Secrets for pulling the image. Default: the parent's. */
  readonly imagePullSecrets?: ReadonlyArray<string>
  /** The container's security context. Default: the parent's, without privilege escalation and capabilities. */
  readonly securityContext?: SecurityContext
  /** The pod's security context. Default: the parent's, with the runtime's default seccomp profile. */
  readonly podSecurityContext?: PodSecurityContext
  /**
   * `false`: the parent's pod does not own its runners. Default: the pod owns them, so that Kubernetes deletes them with it.
   *
   * Runners without an owner get a deadline: their `maxLifetime`, else six hours.
   */
  readonly ownerReference?: false
}
