/** Types of a manifest: affinity, tolerations and spread. */

/** `Affinity` of Kubernetes. */
export interface Affinity {
  readonly nodeAffinity?: NodeAffinity
  readonly podAffinity?: PodAffinity
  readonly podAntiAffinity?: PodAntiAffinity
}

/** `NodeAffinity` of Kubernetes. */
export interface NodeAffinity {
  readonly preferredDuringSchedulingIgnoredDuringExecution?: ReadonlyArray<PreferredSchedulingTerm>
  readonly requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector
}

/** `PreferredSchedulingTerm` of Kubernetes. */
export interface PreferredSchedulingTerm {
  readonly preference: NodeSelectorTerm
  readonly weight: number
}

/** `NodeSelectorTerm` of Kubernetes. */
export interface NodeSelectorTerm {
  readonly matchExpressions?: ReadonlyArray<NodeSelectorRequirement>
  readonly matchFields?: ReadonlyArray<NodeSelectorRequirement>
}

/** `NodeSelectorRequirement` of Kubernetes. */
export interface NodeSelectorRequirement {
  readonly key: string
  readonly operator: string
  readonly values?: ReadonlyArray<string>
}

/** `NodeSelector` of Kubernetes. */
export interface NodeSelector {
  readonly nodeSelectorTerms: ReadonlyArray<NodeSelectorTerm>
}

/** `PodAffinity` of Kubernetes. */
export interface PodAffinity {
  readonly preferredDuringSchedulingIgnoredDuringExecution?: ReadonlyArray<WeightedPodAffinityTerm>
  readonly requiredDuringSchedulingIgnoredDuringExecution?: ReadonlyArray<PodAffinityTerm>
}

/** `WeightedPodAffinityTerm` of Kubernetes. */
export interface WeightedPodAffinityTerm {
  readonly podAffinityTerm: PodAffinityTerm
  readonly weight: number
}

/** `PodAffinityTerm` of Kubernetes. */
export interface PodAffinityTerm {
  readonly labelSelector?: LabelSelector
  readonly matchLabelKeys?: ReadonlyArray<string>
  readonly mismatchLabelKeys?: ReadonlyArray<string>
  readonly namespaceSelector?: LabelSelector
  readonly namespaces?: ReadonlyArray<string>
  readonly topologyKey: string
}

/** `LabelSelector` of Kubernetes. */
export interface LabelSelector {
  readonly matchExpressions?: ReadonlyArray<LabelSelectorRequirement>
  readonly matchLabels?: Readonly<Record<string, string>>
}

/** `LabelSelectorRequirement` of Kubernetes. */
export interface LabelSelectorRequirement {
  readonly key: string
  readonly operator: string
  readonly values?: ReadonlyArray<string>
}

/** `PodAntiAffinity` of Kubernetes. */
export interface PodAntiAffinity {
  readonly preferredDuringSchedulingIgnoredDuringExecution?: ReadonlyArray<WeightedPodAffinityTerm>
  readonly requiredDuringSchedulingIgnoredDuringExecution?: ReadonlyArray<PodAffinityTerm>
}

/** `Toleration` of Kubernetes. */
export interface Toleration {
  readonly effect?: string
  readonly key?: string
  readonly operator?: string
  readonly tolerationSeconds?: number
  readonly value?: string
}

/** `TopologySpreadConstraint` of Kubernetes. */
export interface TopologySpreadConstraint {
  readonly labelSelector?: LabelSelector
  readonly matchLabelKeys?: ReadonlyArray<string>
  readonly maxSkew: number
  readonly minDomains?: number
  readonly nodeAffinityPolicy?: string
  readonly nodeTaintsPolicy?: string
  readonly topologyKey: string
  readonly whenUnsatisfiable: string
}
