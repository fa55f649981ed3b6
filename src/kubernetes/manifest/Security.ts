/** Types of a manifest: security contexts of pods and containers. */

/** `SecurityContext` of Kubernetes. */
export interface SecurityContext {
  readonly allowPrivilegeEscalation?: boolean
  readonly appArmorProfile?: AppArmorProfile
  readonly capabilities?: Capabilities
  readonly privileged?: boolean
  readonly procMount?: string
  readonly readOnlyRootFilesystem?: boolean
  readonly runAsGroup?: number
  readonly runAsNonRoot?: boolean
  readonly runAsUser?: number
  readonly seLinuxOptions?: SELinuxOptions
  readonly seccompProfile?: SeccompProfile
  readonly windowsOptions?: WindowsSecurityContextOptions
}

/** `AppArmorProfile` of Kubernetes. */
export interface AppArmorProfile {
  readonly localhostProfile?: string
  readonly type: string
}

/** `Capabilities` of Kubernetes. */
export interface Capabilities {
  readonly add?: ReadonlyArray<string>
  readonly drop?: ReadonlyArray<string>
}

/** `SELinuxOptions` of Kubernetes. */
export interface SELinuxOptions {
  readonly level?: string
  readonly role?: string
  readonly type?: string
  readonly user?: string
}

/** `SeccompProfile` of Kubernetes. */
export interface SeccompProfile {
  readonly localhostProfile?: string
  readonly type: string
}

/** `WindowsSecurityContextOptions` of Kubernetes. */
export interface WindowsSecurityContextOptions {
  readonly gmsaCredentialSpec?: string
  readonly gmsaCredentialSpecName?: string
  readonly hostProcess?: boolean
  readonly runAsUserName?: string
}

/** `PodSecurityContext` of Kubernetes. */
export interface PodSecurityContext {
  readonly appArmorProfile?: AppArmorProfile
  readonly fsGroup?: number
  readonly fsGroupChangePolicy?: string
  readonly runAsGroup?: number
  readonly runAsNonRoot?: boolean
  readonly runAsUser?: number
  readonly seLinuxChangePolicy?: string
  readonly seLinuxOptions?: SELinuxOptions
  readonly seccompProfile?: SeccompProfile
  readonly supplementalGroups?: ReadonlyArray<number>
  readonly supplementalGroupsPolicy?: string
  readonly sysctls?: ReadonlyArray<Sysctl>
  readonly windowsOptions?: WindowsSecurityContextOptions
}

/** `Sysctl` of Kubernetes. */
export interface Sysctl {
  readonly name: string
  readonly value: string
}
