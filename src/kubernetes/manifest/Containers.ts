/** Types of a manifest: containers, their variables, probes, hooks and resources. */
import type { SecurityContext } from "./Security.ts"

/** `Container` of Kubernetes. */
export interface ContainerManifest {
  readonly args?: ReadonlyArray<string>
  readonly command?: ReadonlyArray<string>
  readonly env?: ReadonlyArray<EnvVarManifest>
  readonly envFrom?: ReadonlyArray<EnvFromSource>
  readonly image?: string
  readonly imagePullPolicy?: string
  readonly lifecycle?: Lifecycle
  readonly livenessProbe?: Probe
  readonly name: string
  readonly ports?: ReadonlyArray<ContainerPort>
  readonly readinessProbe?: Probe
  readonly resizePolicy?: ReadonlyArray<ContainerResizePolicy>
  readonly resources?: ResourceRequirements
  readonly restartPolicy?: string
  readonly restartPolicyRules?: ReadonlyArray<ContainerRestartRule>
  readonly securityContext?: SecurityContext
  readonly startupProbe?: Probe
  readonly stdin?: boolean
  readonly stdinOnce?: boolean
  readonly terminationMessagePath?: string
  readonly terminationMessagePolicy?: string
  readonly tty?: boolean
  readonly volumeDevices?: ReadonlyArray<VolumeDevice>
  readonly volumeMounts?: ReadonlyArray<VolumeMount>
  readonly workingDir?: string
}

/** `EnvVar` of Kubernetes. */
export interface EnvVarManifest {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: EnvVarSource
}

/** `EnvVarSource` of Kubernetes. */
export interface EnvVarSource {
  readonly configMapKeyRef?: ConfigMapKeySelector
  readonly fieldRef?: ObjectFieldSelector
  readonly fileKeyRef?: FileKeySelector
  readonly resourceFieldRef?: ResourceFieldSelector
  readonly secretKeyRef?: SecretKeySelector
}

/** `ConfigMapKeySelector` of Kubernetes. */
export interface ConfigMapKeySelector {
  readonly key: string
  readonly name?: string
  readonly optional?: boolean
}

/** `ObjectFieldSelector` of Kubernetes. */
export interface ObjectFieldSelector {
  readonly apiVersion?: string
  readonly fieldPath: string
}

/** `FileKeySelector` of Kubernetes. */
export interface FileKeySelector {
  readonly key: string
  readonly optional?: boolean
  readonly path: string
  readonly volumeName: string
}

/** `ResourceFieldSelector` of Kubernetes. */
export interface ResourceFieldSelector {
  readonly containerName?: string
  readonly divisor?: string
  readonly resource: string
}

/** `SecretKeySelector` of Kubernetes. */
export interface SecretKeySelector {
  readonly key: string
  readonly name?: string
  readonly optional?: boolean
}

/** `EnvFromSource` of Kubernetes. */
export interface EnvFromSource {
  readonly configMapRef?: ConfigMapEnvSource
  readonly prefix?: string
  readonly secretRef?: SecretEnvSource
}

/** `ConfigMapEnvSource` of Kubernetes. */
export interface ConfigMapEnvSource {
  readonly name?: string
  readonly optional?: boolean
}

/** `SecretEnvSource` of Kubernetes. */
export interface SecretEnvSource {
  readonly name?: string
  readonly optional?: boolean
}

/** `Lifecycle` of Kubernetes. */
export interface Lifecycle {
  readonly postStart?: LifecycleHandler
  readonly preStop?: LifecycleHandler
  readonly stopSignal?: string
}

/** `LifecycleHandler` of Kubernetes. */
export interface LifecycleHandler {
  readonly exec?: ExecAction
  readonly httpGet?: HTTPGetAction
  readonly sleep?: SleepAction
  readonly tcpSocket?: TCPSocketAction
}

/** `ExecAction` of Kubernetes. */
export interface ExecAction {
  readonly command?: ReadonlyArray<string>
}

/** `HTTPGetAction` of Kubernetes. */
export interface HTTPGetAction {
  readonly host?: string
  readonly httpHeaders?: ReadonlyArray<HTTPHeader>
  readonly path?: string
  readonly port: number | string
  readonly scheme?: string
}

/** `HTTPHeader` of Kubernetes. */
export interface HTTPHeader {
  readonly name: string
  readonly value: string
}

/** `SleepAction` of Kubernetes. */
export interface SleepAction {
  readonly seconds: number
}

/** `TCPSocketAction` of Kubernetes. */
export interface TCPSocketAction {
  readonly host?: string
  readonly port: number | string
}

/** `Probe` of Kubernetes. */
export interface Probe {
  readonly exec?: ExecAction
  readonly failureThreshold?: number
  readonly grpc?: GRPCAction
  readonly httpGet?: HTTPGetAction
  readonly initialDelaySeconds?: number
  readonly periodSeconds?: number
  readonly successThreshold?: number
  readonly tcpSocket?: TCPSocketAction
  readonly terminationGracePeriodSeconds?: number
  readonly timeoutSeconds?: number
}

/** `GRPCAction` of Kubernetes. */
export interface GRPCAction {
  readonly port: number
  readonly service?: string
}

/** `ContainerPort` of Kubernetes. */
export interface ContainerPort {
  readonly containerPort: number
  readonly hostIP?: string
  readonly hostPort?: number
  readonly name?: string
  readonly protocol?: string
}

/** `ContainerResizePolicy` of Kubernetes. */
export interface ContainerResizePolicy {
  readonly resourceName: string
  readonly restartPolicy: string
}

/** `ResourceRequirements` of Kubernetes. */
export interface ResourceRequirements {
  readonly claims?: ReadonlyArray<ResourceClaim>
  readonly limits?: Readonly<Record<string, string>>
  readonly requests?: Readonly<Record<string, string>>
}

/** `ResourceClaim` of Kubernetes. */
export interface ResourceClaim {
  readonly name: string
  readonly request?: string
}

/** `ContainerRestartRule` of Kubernetes. */
export interface ContainerRestartRule {
  readonly action: string
  readonly exitCodes?: ContainerRestartRuleOnExitCodes
}

/** `ContainerRestartRuleOnExitCodes` of Kubernetes. */
export interface ContainerRestartRuleOnExitCodes {
  readonly operator: string
  readonly values?: ReadonlyArray<number>
}

/** `VolumeDevice` of Kubernetes. */
export interface VolumeDevice {
  readonly devicePath: string
  readonly name: string
}

/** `VolumeMount` of Kubernetes. */
export interface VolumeMount {
  readonly mountPath: string
  readonly mountPropagation?: string
  readonly name: string
  readonly readOnly?: boolean
  readonly recursiveReadOnly?: string
  readonly subPath?: string
  readonly subPathExpr?: string
}
