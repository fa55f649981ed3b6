/** The door of Kubernetes: the backend of pods and its parts, for apps that need more than `FlameLayer.kubernetes`. */
export type { Manifest, ParentManifest, PodOptions } from "./kubernetes/template/PodOptions.ts"
export { type DeleteOptions, KubeClient, type Rules } from "./kubernetes/api/KubeClient.ts"
export * as KubeClientLive from "./kubernetes/api/KubeClientLive.ts"
export { KubeError, KubeUnconfigured } from "./kubernetes/api/KubeError.ts"
export * as KubernetesBackend from "./kubernetes/KubernetesBackend.ts"
