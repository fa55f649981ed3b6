/**
 * Parts the options of a layer into those of its backend and those of its pool.
 *
 * An app writes both in one object, such as `FlameLayer.local({ max: 4, entry })`.
 */
import type { ProcessBackendOptions } from "../../backend/ProcessBackend.ts"
import type { Options as ClusterOptions } from "../../kubernetes/KubernetesBackend.ts"
import type { PoolOptions } from "./PoolOptions.ts"

/** The options of child processes. Does not compile if one is missing. */
export const processOptions: Readonly<Record<keyof ProcessBackendOptions, true>> = {
  entry: true,
  execArgv: true,
  argv: true,
  env: true,
  cwd: true,
  outputLevel: true,
  build: true,
  killGrace: true
}

/** The options of pods. Does not compile if one is missing. */
export const podOptions: Readonly<Record<keyof ClusterOptions, true>> = {
  client: true,
  manifest: true,
  container: true,
  image: true,
  command: true,
  args: true,
  env: true,
  secretEnv: true,
  volumes: true,
  resources: true,
  labels: true,
  annotations: true,
  nodeSelector: true,
  tolerations: true,
  affinity: true,
  priorityClassName: true,
  serviceAccountName: true,
  imagePullSecrets: true,
  securityContext: true,
  podSecurityContext: true,
  ownerReference: true,
  advertise: true,
  port: true,
  key: true,
  instance: true,
  program: true,
  scheduleTimeout: true,
  log: true,
  build: true,
  entry: true,
  code: true,
  kubeconfig: true,
  context: true,
  namespace: true,
  serviceAccount: true,
  requestTimeout: true,
  retryFor: true
}

/** Parts options by the names of those of the backend. Every other option is the pool's. Drops undefined values. */
export const split = <RHooks, Own>(
  options: PoolOptions<RHooks> & Own,
  names: Readonly<Record<string, true>>
): { readonly ofBackend: Own; readonly ofPool: PoolOptions<RHooks> } => {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return {
    ofBackend: Object.fromEntries(entries.filter(([name]) => name in names)) as Own,
    ofPool: Object.fromEntries(entries.filter(([name]) => !(name in names)))
  }
}

/** The options that are not undefined. */
export const defined = <A extends object>(options: A): { readonly [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
