/** Types of a manifest: the specification of a pod. */
import type { ContainerManifest, ResourceRequirements } from "./Containers.ts"
import type { LocalObjectReference } from "./Metadata.ts"
import type { Affinity, Toleration, TopologySpreadConstraint } from "./Scheduling.ts"
import type { PodSecurityContext } from "./Security.ts"
import type { Volume } from "./Volumes.ts"

/** `PodSpec` of Kubernetes. */
export interface PodSpecManifest {
  readonly activeDeadlineSeconds?: number
  readonly affinity?: Affinity
  readonly automountServiceAccountToken?: boolean
  readonly containers: ReadonlyArray<ContainerManifest>
  readonly dnsConfig?: PodDNSConfig
  readonly dnsPolicy?: string
  readonly enableServiceLinks?: boolean
  readonly ephemeralContainers?: ReadonlyArray<EphemeralContainer>
  readonly hostAliases?: ReadonlyArray<HostAlias>
  readonly hostIPC?: boolean
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostUsers?: boolean
  readonly hostname?: string
  readonly hostnameOverride?: string
  readonly imagePullSecrets?: ReadonlyArray<LocalObjectReference>
  readonly initContainers?: ReadonlyArray<ContainerManifest>
  readonly nodeName?: string
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly os?: PodOS
  readonly overhead?: Readonly<Record<string, string>>
  readonly preemptionPolicy?: string
  readonly priority?: number
  readonly priorityClassName?: string
  readonly readinessGates?: ReadonlyArray<PodReadinessGate>
  readonly resourceClaims?: ReadonlyArray<PodResourceClaim>
  readonly resources?: ResourceRequirements
  readonly restartPolicy?: string
  readonly runtimeClassName?: string
  readonly schedulerName?: string
  readonly schedulingGates?: ReadonlyArray<PodSchedulingGate>
  readonly schedulingGroup?: PodSchedulingGroup
  readonly securityContext?: PodSecurityContext
  readonly serviceAccount?: string
  readonly serviceAccountName?: string
  readonly setHostnameAsFQDN?: boolean
  readonly shareProcessNamespace?: boolean
  readonly subdomain?: string
  readonly terminationGracePeriodSeconds?: number
  readonly tolerations?: ReadonlyArray<Toleration>
  readonly topologySpreadConstraints?: ReadonlyArray<TopologySpreadConstraint>
  readonly volumes?: ReadonlyArray<Volume>
}

/** `PodDNSConfig` of Kubernetes. */
export interface PodDNSConfig {
  readonly nameservers?: ReadonlyArray<string>
  readonly options?: ReadonlyArray<PodDNSConfigOption>
  readonly searches?: ReadonlyArray<string>
}

/** `PodDNSConfigOption` of Kubernetes. */
export interface PodDNSConfigOption {
  readonly name?: string
  readonly value?: string
}

/** `EphemeralContainer` of Kubernetes: the fields of a container, and the container that it is for. */
export interface EphemeralContainer extends ContainerManifest {
  readonly targetContainerName?: string
}

/** `HostAlias` of Kubernetes. */
export interface HostAlias {
  readonly hostnames?: ReadonlyArray<string>
  readonly ip: string
}

/** `PodOS` of Kubernetes. */
export interface PodOS {
  readonly name: string
}

/** `PodReadinessGate` of Kubernetes. */
export interface PodReadinessGate {
  readonly conditionType: string
}

/** `PodResourceClaim` of Kubernetes. */
export interface PodResourceClaim {
  readonly name: string
  readonly resourceClaimName?: string
  readonly resourceClaimTemplateName?: string
}

/** `PodSchedulingGate` of Kubernetes. */
export interface PodSchedulingGate {
  readonly name: string
}

/** `PodSchedulingGroup` of Kubernetes. */
export interface PodSchedulingGroup {
  readonly podGroupName?: string
}
