/** The layers that an app provides: a backend and the default pool on it. */
import type * as Context from "effect/Context"
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
import { defined, podOptions, processOptions, split } from "./pool/option/BackendOptions.ts"
import type { PoolOptions } from "./pool/option/PoolOptions.ts"
import * as BuildName from "./process/BuildName.ts"
import * as Entry from "./process/Entry.ts"
import { noPods, noProcesses } from "./function/Requirements.ts"
import type { PoolShape } from "./pool/runtime/PoolShape.ts"
import type { PoolKey } from "./function/FlameFunction.ts"
import type { NeedsOf, Servable } from "./function/Servable.ts"

/**
 * Options of a pool of child processes. `entry` has a default: the file of the program that calls `Flame.main`.
 *
 * @since 0.1.0
 * @category options
 */
export type LocalOptions<RHooks = never> = PoolOptions<RHooks> & Partial<ProcessBackendOptions>

/**
 * The default pool with runners that are child processes of this one. Needs nothing but Node.
 *
 * A runner runs `entry` on the same Node with the same options, arguments, environment and directory, over an inherited
 * socketpair: no port, no file, no key. Options of the pool are also read from the environment, such as `FLAME_MAX=4`,
 * which wins over the program. Closing the layer drains the pool and leaves no process behind.
 *
 * Fails with `BootFailed` if no entry is known, on Windows, and with `awaitMin: true` if the `min` runners cannot boot.
 *
 * @example
 * ```ts
 * import { FlameLayer } from "effect-flame"
 *
 * const flame = FlameLayer.local({ max: 4, entry: new URL("./runner.ts", import.meta.url) })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const local = <RHooks = never>(
  options: LocalOptions<RHooks> = {}
): Layer.Layer<Pool | Backend, FlameError, RHooks> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const refusal = noProcesses()
      if (refusal !== undefined) return yield* failure(refusal)
      const entry = options.entry ?? Entry.current()
      if (entry === undefined) return yield* noEntry
      const ProcessBackend = yield* Effect.promise(() => import("./backend/ProcessBackend.ts"))
      const { ofBackend, ofPool } = split(options, processOptions)
      const backend = ProcessBackend.layer({ build: BuildName.of(Entry.pathOf(entry)), ...ofBackend, entry })
      return Layer.provideMerge(Pool.layer(ofPool), backend)
    })
  )

/**
 * Options of a pool of pods, and of the connection to the cluster.
 *
 * @since 0.1.0
 * @category options
 */
export type KubernetesOptions<RHooks = never> = PoolOptions<RHooks> & ClusterOptions

/**
 * The default pool with runners that are pods. Without options a runner is the container of this process once more.
 *
 * In a pod it needs a service account that may create, get, list, watch and delete pods, and create and delete Secrets
 * (except with `key: "env"`). Elsewhere it needs a kubeconfig, and `image`. With `client: "provided"` it takes the
 * `KubeClient` of the context, such as a mock. Closing the layer drains the pool and deletes its pods and Secrets.
 *
 * Fails with `BootFailed` if no API server is configured or can be reached, and on Bun and Deno.
 *
 * @example
 * ```ts
 * import { FlameLayer } from "effect-flame"
 *
 * const flame = FlameLayer.kubernetes({ max: 20, resources: { requests: { cpu: "1", memory: "512Mi" } } })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const kubernetes: {
  <RHooks = never>(
    options: KubernetesOptions<RHooks> & { readonly client: "provided" }
  ): Layer.Layer<Pool | Backend, FlameError, KubeClient | RHooks>
  <RHooks = never>(options?: KubernetesOptions<RHooks>): Layer.Layer<Pool | Backend, FlameError, RHooks>
} = <RHooks = never>(given?: KubernetesOptions<RHooks>): Layer.Layer<Pool | Backend, FlameError, RHooks> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const refusal = noPods()
      if (refusal !== undefined) return yield* failure(refusal)
      const options = given ?? {}
      const KubernetesBackend = yield* Effect.promise(() => import("./kubernetes/KubernetesBackend.ts"))
      const { ofBackend, ofPool } = split(options, podOptions)
      const entry = options.entry ?? Entry.current() ?? process.argv[1]
      const backend = KubernetesBackend.layer({
        build: BuildName.of(entry === undefined ? undefined : Entry.pathOf(entry)),
        ...ofBackend
      })
      return Layer.provideMerge(
        Pool.layer(ofPool),
        backend.pipe(Layer.catch(({ message }) => Layer.effectContext(failure(message))))
      )
    })
  )

/**
 * Options of a pool of child processes, and under `kubernetes` the options of pods only.
 *
 * @since 0.1.0
 * @category options
 */
export type AutoOptions<RHooks = never> = LocalOptions<RHooks> & {
  /** Options of pods. They override `argv`, `build`, `entry` and `env` beside it. */
  readonly kubernetes?: ClusterOptions
}

/**
 * The default pool with runners where the app runs: pods inside a Kubernetes cluster, child processes elsewhere.
 *
 * The variable `FLAME_BACKEND` chooses as well: `kubernetes` for pods also outside of a cluster, `local` for child processes
 * also inside.
 *
 * In a cluster `argv`, `build`, `entry` and `env` hold for pods too, unless `kubernetes` has its own; the other options of
 * child processes do not. Fails as `local` or `kubernetes` does.
 *
 * @example
 * ```ts
 * import { FlameLayer } from "effect-flame"
 *
 * const flame = FlameLayer.auto({ max: 4, kubernetes: { resources: { requests: { cpu: "1" } } } })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const auto = <RHooks = never>(
  options: AutoOptions<RHooks> = {}
): Layer.Layer<Pool | Backend, FlameError, RHooks> =>
  Layer.unwrap(
    Effect.sync(() => {
      const { kubernetes: ofPods, ...ofProcesses } = options
      const isInPod = process.env["KUBERNETES_SERVICE_HOST"] !== undefined
      const where = process.env["FLAME_BACKEND"] ?? (isInPod ? "kubernetes" : "local")
      if (where === "local") return local<RHooks>(ofProcesses)
      if (where !== "kubernetes") {
        return Layer.effectContext(failure(`FLAME_BACKEND is ${where}: set it to kubernetes or local, or unset it`))
      }
      const { ofBackend, ofPool } = split(ofProcesses, processOptions)
      const { argv, build, entry, env } = ofBackend as Partial<ProcessBackendOptions>
      return kubernetes<RHooks>({ ...ofPool, ...defined({ args: argv, build, entry, env }), ...ofPods })
    })
  )

/**
 * Runners in memory, for tests of an app. Works under `TestClock`.
 *
 * Values go through the real codec and the real pool, so that a value which a runner could not send fails here too.
 * Needs the services of its functions, and the handlers of its groups: a test provides mocks for these. Provides the
 * default pool; provide other pools beside it, such as `Gpu.layer()`. `MemoryRunners` of `effect-flame/testing` loses
 * runners, and fails and delays boots.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 *
 * const square = Flame.fn("square", { payload: { n: Schema.Int }, success: Schema.Int }, ({ n }) => Effect.succeed(n * n))
 * const nine = Flame.call(square, { n: 3 }).pipe(Effect.provide(FlameLayer.test([square])))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const test = <const Fs extends ReadonlyArray<Servable>, RHooks = never>(
  functions: Fs,
  options: PoolOptions<RHooks> = {}
): Layer.Layer<Pool | Backend | MemoryRunners, FlameError, NeedsOf<Fs[number]> | RHooks> =>
  inMemory([Pool], functions, options)

/** The pools that functions name. */
type PoolsOf<F> = F extends { readonly pool: PoolKey<infer Id> } ? Id : never

/**
 * Pools whose functions have other code, for tests of the code that calls them. Works under `TestClock`.
 *
 * Takes functions of `Flame.stub`, services of `Flame.implementService`, and groups, whose handlers are provided around the
 * layer. Provides the default pool and every pool that a stub's function names, all with the same options. Payloads, values
 * and errors go through the schemas of the functions. A call of a function without a stub fails with `FunctionMissing`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Flame, FlameLayer } from "effect-flame"
 *
 * class Gpu extends Flame.PoolService<Gpu>()("app/Gpu") {}
 * const train = Flame.contract("train", { success: Schema.String, pool: Gpu })
 *
 * const Trained = FlameLayer.mock([Flame.stub(train, () => Effect.succeed("a model"))])
 * const model = Flame.call(train).pipe(Effect.provide(Trained))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const mock = <const Fs extends ReadonlyArray<Servable>, RHooks = never>(
  stubs: Fs,
  options: PoolOptions<RHooks> = {}
): Layer.Layer<Pool | PoolsOf<Fs[number]> | Backend | MemoryRunners, FlameError, NeedsOf<Fs[number]> | RHooks> => {
  const named = stubs.flatMap((stub) => ("pool" in stub ? [stub.pool as AnyPoolKey] : []))
  const pools = new Map([Pool as AnyPoolKey, ...named].map((key) => [key.key, key]))
  return inMemory([...pools.values()], stubs, options) as never
}

type AnyPoolKey = Context.Key<Pool, PoolShape>

const inMemory = <const Fs extends ReadonlyArray<Servable>, RHooks>(
  pools: ReadonlyArray<AnyPoolKey>,
  functions: Fs,
  options: PoolOptions<RHooks>
): Layer.Layer<Pool | Backend | MemoryRunners, FlameError, NeedsOf<Fs[number]> | RHooks> =>
  Layer.unwrap(
    Effect.promise(async () => {
      const [MemoryBackend, StubbedPool] = await Promise.all([
        import("./backend/MemoryBackend.ts"),
        import("./pool/runtime/StubbedPool.ts")
      ])
      const [first, ...rest] = pools.map((key) => StubbedPool.layer(key, options))
      return Layer.provideMerge(
        Layer.mergeAll(first!, ...rest),
        MemoryBackend.layer<NeedsOf<Fs[number]>>({ functions: functions as never })
      )
    })
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
