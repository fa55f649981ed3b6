/** Types of a manifest: volumes of single storage systems, most of which Kubernetes has replaced by CSI drivers. */
import type { LocalObjectReference } from "./Metadata.ts"

/** `AWSElasticBlockStoreVolumeSource` of Kubernetes. */
export interface AWSElasticBlockStoreVolumeSource {
  readonly fsType?: string
  readonly partition?: number
  readonly readOnly?: boolean
  readonly volumeID: string
}

/** `AzureDiskVolumeSource` of Kubernetes. */
export interface AzureDiskVolumeSource {
  readonly cachingMode?: string
  readonly diskName: string
  readonly diskURI: string
  readonly fsType?: string
  readonly kind?: string
  readonly readOnly?: boolean
}

/** `AzureFileVolumeSource` of Kubernetes. */
export interface AzureFileVolumeSource {
  readonly readOnly?: boolean
  readonly secretName: string
  readonly shareName: string
}

/** `CephFSVolumeSource` of Kubernetes. */
export interface CephFSVolumeSource {
  readonly monitors: ReadonlyArray<string>
  readonly path?: string
  readonly readOnly?: boolean
  readonly secretFile?: string
  readonly secretRef?: LocalObjectReference
  readonly user?: string
}

/** `CinderVolumeSource` of Kubernetes. */
export interface CinderVolumeSource {
  readonly fsType?: string
  readonly readOnly?: boolean
  readonly secretRef?: LocalObjectReference
  readonly volumeID: string
}

/** `FCVolumeSource` of Kubernetes. */
export interface FCVolumeSource {
  readonly fsType?: string
  readonly lun?: number
  readonly readOnly?: boolean
  readonly targetWWNs?: ReadonlyArray<string>
  readonly wwids?: ReadonlyArray<string>
}

/** `FlexVolumeSource` of Kubernetes. */
export interface FlexVolumeSource {
  readonly driver: string
  readonly fsType?: string
  readonly options?: Readonly<Record<string, string>>
  readonly readOnly?: boolean
  readonly secretRef?: LocalObjectReference
}

/** `FlockerVolumeSource` of Kubernetes. */
export interface FlockerVolumeSource {
  readonly datasetName?: string
  readonly datasetUUID?: string
}

/** `GCEPersistentDiskVolumeSource` of Kubernetes. */
export interface GCEPersistentDiskVolumeSource {
  readonly fsType?: string
  readonly partition?: number
  readonly pdName: string
  readonly readOnly?: boolean
}

/** `GitRepoVolumeSource` of Kubernetes. */
export interface GitRepoVolumeSource {
  readonly directory?: string
  readonly repository: string
  readonly revision?: string
}

/** `GlusterfsVolumeSource` of Kubernetes. */
export interface GlusterfsVolumeSource {
  readonly endpoints: string
  readonly path: string
  readonly readOnly?: boolean
}

/** `ISCSIVolumeSource` of Kubernetes. */
export interface ISCSIVolumeSource {
  readonly chapAuthDiscovery?: boolean
  readonly chapAuthSession?: boolean
  readonly fsType?: string
  readonly initiatorName?: string
  readonly iqn: string
  readonly iscsiInterface?: string
  readonly lun: number
  readonly portals?: ReadonlyArray<string>
  readonly readOnly?: boolean
  readonly secretRef?: LocalObjectReference
  readonly targetPortal: string
}

/** `PhotonPersistentDiskVolumeSource` of Kubernetes. */
export interface PhotonPersistentDiskVolumeSource {
  readonly fsType?: string
  readonly pdID: string
}

/** `PortworxVolumeSource` of Kubernetes. */
export interface PortworxVolumeSource {
  readonly fsType?: string
  readonly readOnly?: boolean
  readonly volumeID: string
}

/** `QuobyteVolumeSource` of Kubernetes. */
export interface QuobyteVolumeSource {
  readonly group?: string
  readonly readOnly?: boolean
  readonly registry: string
  readonly tenant?: string
  readonly user?: string
  readonly volume: string
}

/** `RBDVolumeSource` of Kubernetes. */
export interface RBDVolumeSource {
  readonly fsType?: string
  readonly image: string
  readonly keyring?: string
  readonly monitors: ReadonlyArray<string>
  readonly pool?: string
  readonly readOnly?: boolean
  readonly secretRef?: LocalObjectReference
  readonly user?: string
}

/** `ScaleIOVolumeSource` of Kubernetes. */
export interface ScaleIOVolumeSource {
  readonly fsType?: string
  readonly gateway: string
  readonly protectionDomain?: string
  readonly readOnly?: boolean
  readonly secretRef: LocalObjectReference
  readonly sslEnabled?: boolean
  readonly storageMode?: string
  readonly storagePool?: string
  readonly system: string
  readonly volumeName?: string
}

/** `StorageOSVolumeSource` of Kubernetes. */
export interface StorageOSVolumeSource {
  readonly fsType?: string
  readonly readOnly?: boolean
  readonly secretRef?: LocalObjectReference
  readonly volumeName?: string
  readonly volumeNamespace?: string
}

/** `VsphereVirtualDiskVolumeSource` of Kubernetes. */
export interface VsphereVirtualDiskVolumeSource {
  readonly fsType?: string
  readonly storagePolicyID?: string
  readonly storagePolicyName?: string
  readonly volumePath: string
}
