/** The `FLAME_*` variables that set options of a pool. A module of its own, because `Config` is slow to load and seldom used. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { PoolOptions } from "./PoolOptions.ts"
import { severities } from "./PoolSettings.ts"
import { prefixOf } from "./PoolPrefix.ts"

/**
 * Reads the options that the environment sets, such as `FLAME_MAX=4`. They override the program's own options.
 *
 * For a pool `app/Gpu` the variables are `FLAME_GPU_MAX` and so on. Read through `Config`, so a test or a program may
 * provide them by a `ConfigProvider`.
 */
export const fromConfig = (pool: string): Effect.Effect<PoolOptions<never>, Config.ConfigError> => {
  const prefix = prefixOf(pool)
  const read = <A>(name: string, config: (name: string) => Config.Config<A>) =>
    Config.option(config(`${prefix}_${name}`))
  return Effect.map(
    Config.all({
      min: read("MIN", Config.Int),
      max: read("MAX", Config.Int),
      concurrency: read("CONCURRENCY", Config.Int),
      spare: read("SPARE", Config.Number),
      queueCapacity: read("QUEUE_CAPACITY", Config.Int),
      timeout: read("TIMEOUT", Config.Duration),
      bootTimeout: read("BOOT_TIMEOUT", Config.Duration),
      idleTimeToLive: read("IDLE_TIME_TO_LIVE", Config.Duration),
      minIdleTimeToLive: read("MIN_IDLE_TIME_TO_LIVE", Config.Duration),
      maxCalls: read("MAX_CALLS", Config.Int),
      maxLifetime: read("MAX_LIFETIME", Config.Duration),
      strategy: read("STRATEGY", (name) => Config.Literals(["spread", "pack"], name)),
      drainTimeout: read("DRAIN_TIMEOUT", Config.Duration),
      cancelGrace: read("CANCEL_GRACE", Config.Duration),
      silenceLimit: read("SILENCE_LIMIT", Config.Duration),
      reasonGrace: read("REASON_GRACE", Config.Duration),
      attempts: read("ATTEMPTS", Config.Int),
      bootPatience: read("BOOT_PATIENCE", Config.Duration),
      crashLoopTime: read("CRASH_LOOP_TIME", Config.Duration),
      maxPayload: read("MAX_PAYLOAD", Config.Int),
      maxResult: read("MAX_RESULT", Config.Int),
      metricsInterval: read("METRICS_INTERVAL", Config.Duration),
      log: read("LOG", (name) => Config.Literals(severities, name)),
      logLevel: read("LOG_LEVEL", Config.LogLevel),
      awaitMin: read("AWAIT_MIN", Config.Boolean)
    }),
    someOnly
  )
}

const someOnly = (all: Readonly<Record<string, Option.Option<unknown>>>): PoolOptions<never> =>
  Object.fromEntries(
    Object.entries(all).flatMap(([name, option]) => (option._tag === "Some" ? [[name, option.value]] : []))
  )
