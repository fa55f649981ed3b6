/** Types of a manifest: metadata of objects, and references to them. */

/** `LocalObjectReference` of Kubernetes. */
export interface LocalObjectReference {
  readonly name?: string
}

/** `ObjectMeta` of Kubernetes. */
export interface ObjectMeta {
  readonly annotations?: Readonly<Record<string, string>>
  readonly creationTimestamp?: string | Date
  readonly deletionGracePeriodSeconds?: number
  readonly deletionTimestamp?: string | Date
  readonly finalizers?: ReadonlyArray<string>
  readonly generateName?: string
  readonly generation?: number
  readonly labels?: Readonly<Record<string, string>>
  readonly managedFields?: ReadonlyArray<ManagedFieldsEntry>
  readonly name?: string
  readonly namespace?: string
  readonly ownerReferences?: ReadonlyArray<OwnerReferenceManifest>
  readonly resourceVersion?: string
  readonly selfLink?: string
  readonly uid?: string
}

/** `ManagedFieldsEntry` of Kubernetes. */
export interface ManagedFieldsEntry {
  readonly apiVersion?: string
  readonly fieldsType?: string
  readonly fieldsV1?: unknown
  readonly manager?: string
  readonly operation?: string
  readonly subresource?: string
  readonly time?: string | Date
}

/** `OwnerReference` of Kubernetes. */
export interface OwnerReferenceManifest {
  readonly apiVersion: string
  readonly blockOwnerDeletion?: boolean
  readonly controller?: boolean
  readonly kind: string
  readonly name: string
  readonly uid: string
}
