/** What an app provides: a backend and the default pool on it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Backend } from "./backend/Backend.ts"
import type { MemoryRunners } from "./backend/MemoryBackend.ts"
import type { Options as ProcessOptions } from "./backend/ProcessBackend.ts"
import { InvalidSpec } from "./BootFailure.ts"
import { BootFailed, FlameError } from "./FlameError.ts"
import type { Implemented } from "./FlameFunction.ts"
import { Pool } from "./pool/Pool.ts"
import type { PoolOptions } from "./pool/PoolOptions.ts"
import * as Build from "./runner/Build.ts"
import * as Entry from "./runner/Entry.ts"

/** Options of child processes, with the entry that `Flame.main` registers as the default. */
export type LocalOptions<RHooks = never> = PoolOptions<RHooks> & Partial<ProcessOptions>

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
      const backend = ProcessBackend.layer({ build: Build.of(pathOf(entry)), ...processOptions(options), entry })
      return Layer.provideMerge(Pool.layer(poolOptions(options)), backend)
    })
  )

/**
 * Runners where the app runs: child processes, and pods inside a Kubernetes cluster once that backend exists.
 *
 * Inside a cluster it fails for now, rather than to start processes in a pod that was not made for them.
 */
export const auto = <RHooks = never>(
  options: LocalOptions<RHooks> = {}
): Layer.Layer<Pool | Backend, FlameError, RHooks> =>
  Layer.unwrap(
    Effect.suspend(() =>
      process.env["KUBERNETES_SERVICE_HOST"] === undefined ? Effect.succeed(local(options)) : noKubernetes
    )
  )

/**
 * Runners in memory, for tests of an app: through the real codec and the real pool, so that a value which would not
 * survive the way to a runner fails here too. Works under `TestClock`.
 *
 * Needs the services of its functions. `MemoryRunners` loses runners, fails and delays boots.
 */
export const test = <const Fs extends ReadonlyArray<Implemented<unknown>>, RHooks = never>(
  functions: Fs,
  options: PoolOptions<RHooks> = {}
): Layer.Layer<Pool | Backend | MemoryRunners, FlameError, Fs[number]["~R"] | RHooks> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./backend/MemoryBackend.ts")),
      (MemoryBackend) => Layer.provideMerge(Pool.layer(options), MemoryBackend.layer<Fs[number]["~R"]>({ functions }))
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

const noKubernetes = failure(
  "this app runs in a Kubernetes cluster, and this version has no Kubernetes backend yet: FlameLayer.auto will not start processes in a pod unasked, use FlameLayer.local for that"
)

const pathOf = (entry: string | URL): string => {
  const text = String(entry)
  return text.startsWith("file:") ? decodeURIComponent(new URL(text).pathname) : text
}

const processOptions = (options: LocalOptions<never> | LocalOptions<unknown>): Partial<ProcessOptions> => {
  const { build, cwd, env, execArgv, killGrace, outputLevel } = options as Partial<ProcessOptions>
  return {
    ...(build === undefined ? {} : { build }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
    ...(execArgv === undefined ? {} : { execArgv }),
    ...(killGrace === undefined ? {} : { killGrace }),
    ...(outputLevel === undefined ? {} : { outputLevel })
  }
}

const poolOptions = <RHooks>(options: LocalOptions<RHooks>): PoolOptions<RHooks> => {
  const { build: _b, cwd: _c, entry: _e, env: _v, execArgv: _x, killGrace: _k, outputLevel: _o, ...rest } = options
  return rest
}
