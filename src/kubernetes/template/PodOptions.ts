/** What can be said of the pods that runners are. */
import type {
  V1Affinity,
  V1Container,
  V1ObjectMeta,
  V1Pod,
  V1PodSecurityContext,
  V1PodSpec,
  V1ResourceRequirements,
  V1SecurityContext,
  V1Toleration
} from "@kubernetes/client-node"
import type * as Redacted from "effect/Redacted"

/**
 * A runner's pod as far as one wants to say it; any `V1Pod` is one.
 *
 * The container called `runner`, or else the first, is the runner's; others run beside it.
 */
export interface Manifest {
  readonly metadata?: V1ObjectMeta
  readonly spec?: Partial<Omit<V1PodSpec, "containers">> & { readonly containers?: ReadonlyArray<Partial<V1Container>> }
}

/**
 * The pods of runners. With nothing given, a runner is its parent's own container again: its image by digest, command,
 * arguments, working directory, environment, requests, limits other than of CPU, pull secrets, node selector, tolerations,
 * node affinity, priority, scheduler, runtime class, DNS settings, host aliases and security contexts.
 *
 * Each field here or in `manifest` replaces what would be inherited as a whole, so that `[]`, `{}` and `""` mean none;
 * only variables, labels and annotations are merged by name. Fields here stand over `manifest`. Never inherited: labels,
 * annotations, volumes (but see `volumes`), ports, probes, the service account and its token.
 */
export interface PodOptions {
  /**
   * A manifest, or a function that makes one of the parent's pod and container as they are (dates are strings in there).
   *
   * Set by the library, whatever it says: the names of pod and container, the namespace, `restartPolicy: Never`, the owner,
   * the variables `POD_NAME`, `POD_NAMESPACE`, `POD_IP` and `FLAME_RUNNER_*`.
   */
  readonly manifest?: Manifest | ((parent: V1Pod, container: V1Container) => Manifest)
  /**
   * The container of the parent's pod that this program is; where not given, that of the annotation
   * `kubectl.kubernetes.io/default-container`, else the first that is no service mesh's proxy.
   */
  readonly container?: string
  /** The image; needed where the parent is not in the cluster. */
  readonly image?: string
  /** The command; arguments are then not inherited either. */
  readonly command?: ReadonlyArray<string>
  readonly args?: ReadonlyArray<string>
  /** Variables for runners, over inherited ones and those of `manifest`; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Variables whose values stand in a Secret of this parent and not in the pod. */
  readonly secretEnv?: Readonly<Record<string, Redacted.Redacted<string>>>
  /** Volumes of the parent's pod that runners have too, by name, mounted where the parent mounts them. Each costs 0.3 s of boot. */
  readonly volumes?: ReadonlyArray<string>
  /** Requests and limits. A CPU limit below 1 makes boots take seconds. */
  readonly resources?: V1ResourceRequirements
  /** Labels for runners; none may equal one of the parent's, whose ReplicaSet and Services would take runners for its own. */
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly tolerations?: ReadonlyArray<V1Toleration>
  readonly affinity?: V1Affinity
  readonly priorityClassName?: string
  /** The service account of runners; the namespace's `default`, without a token, where not given. */
  readonly serviceAccountName?: string
  /** Names of Secrets to pull the image with. */
  readonly imagePullSecrets?: ReadonlyArray<string>
  /** The container's security context. No privilege escalation and no capabilities where it does not say. */
  readonly securityContext?: V1SecurityContext
  /** The pod's security context. The runtime's default seccomp profile where it does not say. */
  readonly podSecurityContext?: V1PodSecurityContext
  /** `false`: the parent's pod does not own its runners. They then get a deadline, because nothing collects them. */
  readonly ownerReference?: false
}
