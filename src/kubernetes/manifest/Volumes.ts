/** Types of a manifest: volumes, and what they are made of. */
import type { ObjectFieldSelector, ResourceFieldSelector } from "./Containers.ts"
import type { LocalObjectReference, ObjectMeta } from "./Metadata.ts"
import type { LabelSelector } from "./Scheduling.ts"
import type {
  AWSElasticBlockStoreVolumeSource,
  AzureDiskVolumeSource,
  AzureFileVolumeSource,
  CephFSVolumeSource,
  CinderVolumeSource,
  FCVolumeSource,
  FlexVolumeSource,
  FlockerVolumeSource,
  GCEPersistentDiskVolumeSource,
  GitRepoVolumeSource,
  GlusterfsVolumeSource,
  ISCSIVolumeSource,
  PhotonPersistentDiskVolumeSource,
  PortworxVolumeSource,
  QuobyteVolumeSource,
  RBDVolumeSource,
  ScaleIOVolumeSource,
  StorageOSVolumeSource,
  VsphereVirtualDiskVolumeSource
} from "./StorageVolumes.ts"

/** `Volume` of Kubernetes. */
export interface Volume {
  readonly awsElasticBlockStore?: AWSElasticBlockStoreVolumeSource
  readonly azureDisk?: AzureDiskVolumeSource
  readonly azureFile?: AzureFileVolumeSource
  readonly cephfs?: CephFSVolumeSource
  readonly cinder?: CinderVolumeSource
  readonly configMap?: ConfigMapVolumeSource
  readonly csi?: CSIVolumeSource
  readonly downwardAPI?: DownwardAPIVolumeSource
  readonly emptyDir?: EmptyDirVolumeSource
  readonly ephemeral?: EphemeralVolumeSource
  readonly fc?: FCVolumeSource
  readonly flexVolume?: FlexVolumeSource
  readonly flocker?: FlockerVolumeSource
  readonly gcePersistentDisk?: GCEPersistentDiskVolumeSource
  readonly gitRepo?: GitRepoVolumeSource
  readonly glusterfs?: GlusterfsVolumeSource
  readonly hostPath?: HostPathVolumeSource
  readonly image?: ImageVolumeSource
  readonly iscsi?: ISCSIVolumeSource
  readonly name: string
  readonly nfs?: NFSVolumeSource
  readonly persistentVolumeClaim?: PersistentVolumeClaimVolumeSource
  readonly photonPersistentDisk?: PhotonPersistentDiskVolumeSource
  readonly portworxVolume?: PortworxVolumeSource
  readonly projected?: ProjectedVolumeSource
  readonly quobyte?: QuobyteVolumeSource
  readonly rbd?: RBDVolumeSource
  readonly scaleIO?: ScaleIOVolumeSource
  readonly secret?: SecretVolumeSource
  readonly storageos?: StorageOSVolumeSource
  readonly vsphereVolume?: VsphereVirtualDiskVolumeSource
}

/** `ConfigMapVolumeSource` of Kubernetes. */
export interface ConfigMapVolumeSource {
  readonly defaultMode?: number
  readonly items?: ReadonlyArray<KeyToPath>
  readonly name?: string
  readonly optional?: boolean
}

/** `KeyToPath` of Kubernetes. */
export interface KeyToPath {
  readonly key: string
  readonly mode?: number
  readonly path: string
}

/** `CSIVolumeSource` of Kubernetes. */
export interface CSIVolumeSource {
  readonly driver: string
  readonly fsType?: string
  readonly nodePublishSecretRef?: LocalObjectReference
  readonly readOnly?: boolean
  readonly volumeAttributes?: Readonly<Record<string, string>>
}

/** `DownwardAPIVolumeSource` of Kubernetes. */
export interface DownwardAPIVolumeSource {
  readonly defaultMode?: number
  readonly items?: ReadonlyArray<DownwardAPIVolumeFile>
}

/** `DownwardAPIVolumeFile` of Kubernetes. */
export interface DownwardAPIVolumeFile {
  readonly fieldRef?: ObjectFieldSelector
  readonly mode?: number
  readonly path: string
  readonly resourceFieldRef?: ResourceFieldSelector
}

/** `EmptyDirVolumeSource` of Kubernetes. */
export interface EmptyDirVolumeSource {
  readonly medium?: string
  readonly sizeLimit?: string
}

/** `EphemeralVolumeSource` of Kubernetes. */
export interface EphemeralVolumeSource {
  readonly volumeClaimTemplate?: PersistentVolumeClaimTemplate
}

/** `PersistentVolumeClaimTemplate` of Kubernetes. */
export interface PersistentVolumeClaimTemplate {
  readonly metadata?: ObjectMeta
  readonly spec: PersistentVolumeClaimSpec
}

/** `PersistentVolumeClaimSpec` of Kubernetes. */
export interface PersistentVolumeClaimSpec {
  readonly accessModes?: ReadonlyArray<string>
  readonly dataSource?: TypedLocalObjectReference
  readonly dataSourceRef?: TypedObjectReference
  readonly resources?: VolumeResourceRequirements
  readonly selector?: LabelSelector
  readonly storageClassName?: string
  readonly volumeAttributesClassName?: string
  readonly volumeMode?: string
  readonly volumeName?: string
}

/** `TypedLocalObjectReference` of Kubernetes. */
export interface TypedLocalObjectReference {
  readonly apiGroup?: string
  readonly kind: string
  readonly name: string
}

/** `TypedObjectReference` of Kubernetes. */
export interface TypedObjectReference {
  readonly apiGroup?: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string
}

/** `VolumeResourceRequirements` of Kubernetes. */
export interface VolumeResourceRequirements {
  readonly limits?: Readonly<Record<string, string>>
  readonly requests?: Readonly<Record<string, string>>
}

/** `HostPathVolumeSource` of Kubernetes. */
export interface HostPathVolumeSource {
  readonly path: string
  readonly type?: string
}

/** `ImageVolumeSource` of Kubernetes. */
export interface ImageVolumeSource {
  readonly pullPolicy?: string
  readonly reference?: string
}

/** `NFSVolumeSource` of Kubernetes. */
export interface NFSVolumeSource {
  readonly path: string
  readonly readOnly?: boolean
  readonly server: string
}

/** `PersistentVolumeClaimVolumeSource` of Kubernetes. */
export interface PersistentVolumeClaimVolumeSource {
  readonly claimName: string
  readonly readOnly?: boolean
}

/** `ProjectedVolumeSource` of Kubernetes. */
export interface ProjectedVolumeSource {
  readonly defaultMode?: number
  readonly sources?: ReadonlyArray<VolumeProjection>
}

/** `VolumeProjection` of Kubernetes. */
export interface VolumeProjection {
  readonly clusterTrustBundle?: ClusterTrustBundleProjection
  readonly configMap?: ConfigMapProjection
  readonly downwardAPI?: DownwardAPIProjection
  readonly podCertificate?: PodCertificateProjection
  readonly secret?: SecretProjection
  readonly serviceAccountToken?: ServiceAccountTokenProjection
}

/** `ClusterTrustBundleProjection` of Kubernetes. */
export interface ClusterTrustBundleProjection {
  readonly labelSelector?: LabelSelector
  readonly name?: string
  readonly optional?: boolean
  readonly path: string
  readonly signerName?: string
}

/** `ConfigMapProjection` of Kubernetes. */
export interface ConfigMapProjection {
  readonly items?: ReadonlyArray<KeyToPath>
  readonly name?: string
  readonly optional?: boolean
}

/** `DownwardAPIProjection` of Kubernetes. */
export interface DownwardAPIProjection {
  readonly items?: ReadonlyArray<DownwardAPIVolumeFile>
}

/** `PodCertificateProjection` of Kubernetes. */
export interface PodCertificateProjection {
  readonly certificateChainPath?: string
  readonly credentialBundlePath?: string
  readonly keyPath?: string
  readonly keyType: string
  readonly maxExpirationSeconds?: number
  readonly signerName: string
  readonly userAnnotations?: Readonly<Record<string, string>>
}

/** `SecretProjection` of Kubernetes. */
export interface SecretProjection {
  readonly items?: ReadonlyArray<KeyToPath>
  readonly name?: string
  readonly optional?: boolean
}

/** `ServiceAccountTokenProjection` of Kubernetes. */
export interface ServiceAccountTokenProjection {
  readonly audience?: string
  readonly expirationSeconds?: number
  readonly path: string
}

/** `SecretVolumeSource` of Kubernetes. */
export interface SecretVolumeSource {
  readonly defaultMode?: number
  readonly items?: ReadonlyArray<KeyToPath>
  readonly optional?: boolean
  readonly secretName?: string
}
