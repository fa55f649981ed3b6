/** What an app provides: a backend and the default pool on it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Backend } from "./backend/Backend.ts"
import type { MemoryRunners } from "./backend/MemoryBackend.ts"
import type { ProcessBackendOptions } from "./backend/ProcessBackend.ts"
import { InvalidSpec } from "./error/BootFailure.ts"
import type { KubeClient } from "./kubernetes/api/KubeClient.ts"
import type { Options as ClusterOptions } from "./kubernetes/KubernetesBackend.ts"
import { BootFailed, FlameError } from "./error/FlameError.ts"
import { Pool } from "./pool/Pool.ts"
import type { PoolOptions } from "./pool/option/PoolOptions.ts"
import * as Build from "./process/Build.ts"
import * as Entry from "./process/Entry.ts"
import type { NeedsOf, Servable } from "./function/Servable.ts"

/** Options of child processes, with the entry that `Flame.main` registers as the default. */
export type LocalOptions<RHooks = never> = PoolOptions<RHooks> & Partial<ProcessBackendOptions>

/**
 * Runners are child processes of this one: needs nothing but Node.
 *
 * `entry` is the file a runner runs, registered by `Flame.main` or to be given. Options of the pool are also read from
 * the environment, such as `FLAME_MAX=4`, which wins.
 */
export const local = <RHooks = never>(
  options: LocalOptions<RHooks> = {}
): Layer.Layer<Pool | Backend, FlameError, RHooks> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const entry = options.entry ?? Entry.current()
      if (entry === undefined) return yield* noEntry
      const ProcessBackend = yield* Effect.promise(() => import("./backend/ProcessBackend.ts"))
      const { ofBackend, ofPool } = split(options, processOptions)
      const backend = ProcessBackend.layer({ build: Build.of(Entry.pathOf(entry)), ...ofBackend, entry })
      return Layer.provideMerge(Pool.layer(ofPool), backend)
    })
  )

/** Options of pods and of the way to the cluster. */
export type KubernetesOptions<RHooks = never> = PoolOptions<RHooks> & ClusterOptions

/**
 * Runners are pods: with nothing configured, the container of this process once more.
 *
 * In a pod it needs a service account that may create, get, list, watch and delete pods, and create and delete Secrets
 * (but see `key`); elsewhere a kubeconfig, and `image`. Fails where there is no way to an API server.
 */
export const kubernetes: {
  <RHooks = never>(
    options: KubernetesOptions<RHooks> & { readonly client: "provided" }
  ): Layer.Layer<Pool | Backend, FlameError, KubeClient | RHooks>
  <RHooks = never>(options?: KubernetesOptions<RHooks>): Layer.Layer<Pool | Backend, FlameError, RHooks>
} = <RHooks = never>(given?: KubernetesOptions<RHooks>): Layer.Layer<Pool | Backend, FlameError, RHooks> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const options = given ?? {}
      const KubernetesBackend = yield* Effect.promise(() => import("./kubernetes/KubernetesBackend.ts"))
      const { ofBackend, ofPool } = split(options, podOptions)
      const entry = options.entry ?? Entry.current() ?? process.argv[1]
      const backend = KubernetesBackend.layer({
        build: Build.of(entry === undefined ? undefined : Entry.pathOf(entry)),
        ...ofBackend
      })
      return Layer.provideMerge(
        Pool.layer(ofPool),
        backend.pipe(Layer.catch(({ message }) => Layer.effectContext(failure(message))))
      )
    })
  )

/** Options of child processes, and beside them what holds for pods only. */
export type AutoOptions<RHooks = never> = LocalOptions<RHooks> & {
  readonly kubernetes?: ClusterOptions
}

/**
 * Runners where the app runs: pods inside a Kubernetes cluster, child processes elsewhere.
 *
 * In a cluster `env`, `build` and `entry` hold for pods too, unless `kubernetes` has its own; the other options of child
 * processes do not.
 */
export const auto = <RHooks = never>(
  options: AutoOptions<RHooks> = {}
): Layer.Layer<Pool | Backend, FlameError, RHooks> =>
  Layer.unwrap(
    Effect.sync(() => {
      const { kubernetes: ofPods, ...ofProcesses } = options
      if (process.env["KUBERNETES_SERVICE_HOST"] === undefined) return local<RHooks>(ofProcesses)
      const { ofBackend, ofPool } = split(ofProcesses, processOptions)
      const { argv, build, entry, env } = ofBackend as Partial<ProcessBackendOptions>
      return kubernetes<RHooks>({ ...ofPool, ...defined({ args: argv, build, entry, env }), ...ofPods })
    })
  )

/**
 * Runners in memory, for tests of an app: through the real codec and the real pool, so that a value which would not
 * survive the way to a runner fails here too. Works under `TestClock`.
 *
 * Needs the services of its functions, and the handlers of its groups. `MemoryRunners` loses runners, fails and delays boots.
 */
export const test = <const Fs extends ReadonlyArray<Servable>, RHooks = never>(
  functions: Fs,
  options: PoolOptions<RHooks> = {}
): Layer.Layer<Pool | Backend | MemoryRunners, FlameError, NeedsOf<Fs[number]> | RHooks> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./backend/MemoryBackend.ts")),
      (MemoryBackend) =>
        Layer.provideMerge(
          Pool.layer(options),
          MemoryBackend.layer<NeedsOf<Fs[number]>>({ functions: functions as never })
        )
    )
  )

const failure = (detail: string): Effect.Effect<never, FlameError> =>
  Effect.suspend(() =>
    Effect.fail(
      new FlameError({ reason: new BootFailed({ pool: Pool.key, attempts: 0, cause: new InvalidSpec({ detail }) }) })
    )
  )

const noEntry = failure(
  'no runner entry is known: start the app by Flame.main, or write FlameLayer.local({ entry: new URL("./runner.ts", import.meta.url) })'
)

/** Which options are of a backend: the others are the pool's. All of them, or this does not compile. */
const processOptions: Readonly<Record<keyof ProcessBackendOptions, true>> = {
  entry: true,
  execArgv: true,
  argv: true,
  env: true,
  cwd: true,
  outputLevel: true,
  build: true,
  killGrace: true
}

const podOptions: Readonly<Record<keyof ClusterOptions, true>> = {
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
  kubeconfig: true,
  context: true,
  namespace: true,
  serviceAccount: true,
  requestTimeout: true,
  retryFor: true
}

const split = <RHooks, Own>(
  options: PoolOptions<RHooks> & Own,
  names: Readonly<Record<string, true>>
): { readonly ofBackend: Own; readonly ofPool: PoolOptions<RHooks> } => {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return {
    ofBackend: Object.fromEntries(entries.filter(([name]) => name in names)) as Own,
    ofPool: Object.fromEntries(entries.filter(([name]) => !(name in names)))
  }
}

const defined = <A extends object>(options: A): { readonly [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
