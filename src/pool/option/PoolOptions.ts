/** The options of a pool, their defaults, and the part of them that the policy needs. */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type { BootFailure } from "../../error/BootFailure.ts"
import type { IdleFunction } from "../../function/FlameFunction.ts"
import type { RunnerExit } from "../../error/RunnerExit.ts"
import type { Options as PolicyOptions } from "../policy/Step.ts"

/**
 * The outcome of one boot, as `afterBoot` gets it.
 *
 * @since 0.1.0
 * @category pools
 */
export interface BootOutcome {
  readonly pool: string
  readonly runner: string
  /** The cause of a failed boot. Undefined if the boot succeeded. */
  readonly failure: BootFailure | undefined
  /** Milliseconds from its start, `beforeBoot` included. */
  readonly took: number
}

/**
 * Options of a pool. `min` and `max` are per parent process: three replicas of an app may have three times `max` runners.
 *
 * @since 0.1.0
 * @category pools
 */
export interface PoolOptions<RHooks = never> {
  /** Runners kept at all times, not only at the start. Default 0. */
  readonly min?: number
  /** Runners that may exist at a time, booting and leaving ones included. Default 10, or `min` where that is larger. */
  readonly max?: number
  /** Calls that a runner runs at a time. Default 1; raise it for functions that mostly wait. */
  readonly concurrency?: number
  /** Free slots kept ready while any call runs or waits: a number, or below 1 a fraction of the busy ones. Default 0. */
  readonly spare?: number
  /** Calls that may wait; one more fails with `QueueFull` at once. Default 10 000. */
  readonly queueCapacity?: number
  /** Budget of a call that sets none: waiting, booting and running together. Default none. */
  readonly timeout?: Duration.Input
  /** How long one boot may take. Default 60 s for processes, 2 min on Kubernetes. */
  readonly bootTimeout?: Duration.Input
  /** How long a runner above `min` stays without work. Default 30 s. */
  readonly idleTimeToLive?: Duration.Input
  /**
   * How long the pool stays without any call or lease before its `min` runners leave too. The next call boots `min` runners
   * again. Default none: `min` runners stay.
   */
  readonly minIdleTimeToLive?: Duration.Input
  /**
   * A function that is called on a runner before the runner is stopped as idle. `false` keeps the runner for another
   * `idleTimeToLive`. A failure, or no answer within 1 s, lets the runner stop. Default none.
   */
  readonly idleWhen?: IdleFunction
  /**
   * How many times a call is sent at most; then the call fails with `RunnerLost`. Any call is sent again if its runner did
   * not run it, an `idempotent` one also if its runner ended during the call. If an earlier attempt may have run, the last
   * one shares its runner with no other call. Default 3.
   */
  readonly attempts?: number
  /**
   * How long callers wait while every boot fails: then they fail with `BootFailed`, and so does `awaitMin`. Default 60 s
   * for processes, 5 min on Kubernetes. `Infinity` waits for ever.
   */
  readonly bootPatience?: Duration.Input
  /**
   * A runner that ends by itself within this time of being ready, without having completed a call, counts as a failed
   * boot: the next boot waits for a pause. Default 10 s. 0 counts none.
   */
  readonly crashLoopTime?: Duration.Input
  /** Calls after which a runner is replaced; 1 gives every call a fresh runner. Default none. */
  readonly maxCalls?: number
  /** Age at which a runner is replaced. Default none. */
  readonly maxLifetime?: Duration.Input
  /** The runner that gets the next call: the least busy one, or with `pack` the fullest with a free slot. Default `spread`. */
  readonly strategy?: "spread" | "pack"
  /** How long calls in flight may take to end when their runner or the pool must go. Default 30 s. */
  readonly drainTimeout?: Duration.Input
  /** How long finalizers on a runner may take after an interruption. Default 5 s. */
  readonly cancelGrace?: Duration.Input
  /** How long a runner may stay silent before it is given up. Default 5 min. */
  readonly silenceLimit?: Duration.Input
  /** How long a caller of a lost runner waits for the reason. Default 50 ms for processes, 3 s on Kubernetes. */
  readonly reasonGrace?: Duration.Input
  /** Largest payload, in bytes. Default 256 MiB. */
  readonly maxPayload?: number
  /** Largest result, in bytes. Default 1 GiB. */
  readonly maxResult?: number
  /**
   * The lowest level of runners' log lines that arrive in this log. `None` forwards no lines. Lines of a function are
   * first filtered by the minimum level of its caller. Default: all lines that pass that filter, and the pool's minimum
   * level for lines outside of calls.
   */
  readonly logLevel?: LogLevel.LogLevel
  /**
   * The level at which the pool logs that a runner is ready, and that a runner that was told to end has ended. Lost
   * runners and failed boots are always warnings. Default: not logged.
   */
  readonly log?: LogLevel.Severity
  /**
   * Interval at which metrics of functions on runners arrive in this parent's registry, with a label `pool`. A runner
   * sends them once more before it ends. Default 5 s. `Infinity` sends none, for programs whose runners export by
   * themselves.
   */
  readonly metricsInterval?: Duration.Input
  /** Whether the layer is built only when `min` runners serve, and fails if they cannot. Default false. */
  readonly awaitMin?: boolean
  /**
   * Runs first in every boot, within `bootTimeout`. A failure fails that boot. `runners` is the number of runners that
   * exist, this one included.
   */
  readonly beforeBoot?: (runner: string, runners: number) => Effect.Effect<void, unknown, RHooks>
  /** Runs after every boot, failed ones included, concurrently with the pool. A failure is logged. */
  readonly afterBoot?: (outcome: BootOutcome) => Effect.Effect<void, unknown, RHooks>
  /** Runs after a runner ended that was not told to end, concurrently with the pool. A failure is logged. */
  readonly onRunnerLost?: (runner: string, exit: RunnerExit) => Effect.Effect<void, unknown, RHooks>
}

/** The defaults that do not depend on the backend. Durations in milliseconds, sizes in bytes. */
export const defaults = {
  min: 0,
  max: 10,
  concurrency: 1,
  spare: 0,
  queueCapacity: 10_000,
  strategy: "spread" as "spread" | "pack",
  idleTimeToLive: 30_000,
  drainTimeout: 30_000,
  cancelGrace: 5_000,
  attempts: 3,
  bootPatience: 60_000,
  crashLoopTime: 10_000,
  silenceLimit: 300_000,
  maxPayload: 256 * 1024 * 1024,
  maxResult: 1024 * 1024 * 1024,
  metricsInterval: 5_000
}

/** Options with every default filled in; durations in milliseconds, sizes in bytes. */
export interface Settings {
  readonly min: number
  readonly max: number
  readonly concurrency: number
  readonly spare: number
  readonly queueCapacity: number
  readonly timeout: number | undefined
  readonly bootTimeout: number
  readonly idleTimeToLive: number
  readonly minIdleTimeToLive: number | undefined
  readonly maxCalls: number | undefined
  readonly maxLifetime: number | undefined
  readonly strategy: "spread" | "pack"
  readonly drainTimeout: number
  readonly cancelGrace: number
  readonly silenceLimit: number
  readonly attempts: number
  readonly bootPatience: number
  readonly crashLoopTime: number
  readonly reasonGrace: number
  readonly maxPayload: number
  readonly maxResult: number
  readonly metricsInterval: number | undefined
  readonly logLevel: LogLevel.LogLevel | undefined
  readonly log: LogLevel.Severity | undefined
}

const millis = (name: keyof Settings, input: Duration.Input | undefined, fallback: number): number => {
  if (input === undefined) return fallback
  let value: number
  try {
    // `Duration` turns NaN into zero. Keep NaN, so that it is rejected below.
    value = typeof input === "number" ? input : Duration.toMillis(Duration.fromInputUnsafe(input))
  } catch {
    value = NaN
  }
  if (Number.isNaN(value)) throw new TypeError(`the pool option ${name} is not a duration: ${shown(input)}`)
  if (value < 0) throw new TypeError(`the pool option ${name} must not be negative, it is ${value} ms`)
  return value
}

const shown = (input: Duration.Input): string => (typeof input === "object" ? JSON.stringify(input) : `${input}`)

const optionalMillis = (name: keyof Settings, input: Duration.Input | undefined): number | undefined => {
  const value = millis(name, input, Infinity)
  return Number.isFinite(value) ? value : undefined
}

/** Fills in the defaults and checks the result; throws a TypeError that names the option. */
export const resolve = (
  options: PoolOptions<never>,
  backend: { readonly bootTimeout: number; readonly reasonGrace: number; readonly bootPatience?: number }
): Settings => {
  const settings: Settings = {
    min: options.min ?? defaults.min,
    max: options.max ?? Math.max(defaults.max, options.min ?? 0),
    concurrency: options.concurrency ?? defaults.concurrency,
    spare: options.spare ?? defaults.spare,
    queueCapacity: options.queueCapacity ?? defaults.queueCapacity,
    timeout: optionalMillis("timeout", options.timeout),
    bootTimeout: millis("bootTimeout", options.bootTimeout, backend.bootTimeout),
    idleTimeToLive: millis("idleTimeToLive", options.idleTimeToLive, defaults.idleTimeToLive),
    minIdleTimeToLive: optionalMillis("minIdleTimeToLive", options.minIdleTimeToLive),
    maxCalls: options.maxCalls,
    maxLifetime: optionalMillis("maxLifetime", options.maxLifetime),
    strategy: options.strategy ?? defaults.strategy,
    drainTimeout: millis("drainTimeout", options.drainTimeout, defaults.drainTimeout),
    cancelGrace: millis("cancelGrace", options.cancelGrace, defaults.cancelGrace),
    silenceLimit: millis("silenceLimit", options.silenceLimit, defaults.silenceLimit),
    reasonGrace: millis("reasonGrace", options.reasonGrace, backend.reasonGrace),
    attempts: options.attempts ?? defaults.attempts,
    bootPatience: millis("bootPatience", options.bootPatience, backend.bootPatience ?? defaults.bootPatience),
    crashLoopTime: millis("crashLoopTime", options.crashLoopTime, defaults.crashLoopTime),
    maxPayload: options.maxPayload ?? defaults.maxPayload,
    maxResult: options.maxResult ?? defaults.maxResult,
    metricsInterval: optionalMillis("metricsInterval", options.metricsInterval ?? defaults.metricsInterval),
    logLevel: options.logLevel,
    log: options.log
  }
  validate(settings)
  return settings
}

/** An upper limit, because each slot costs the policy a little memory even while it is free. */
const maxConcurrency = 65_536

/** Milliseconds. Each interval costs a runner one pass over all of its metrics. */
const leastInterval = 100

export const severities: ReadonlyArray<LogLevel.Severity> = ["Fatal", "Error", "Warn", "Info", "Debug", "Trace"]

const oneOf = (name: keyof Settings, value: string | undefined, values: ReadonlyArray<string>): void => {
  if (value === undefined || values.includes(value)) return
  throw new TypeError(`the pool option ${name} must be one of ${values.join(", ")}, it is ${value}`)
}

const validate = (settings: Settings): void => {
  const whole = (name: keyof Settings, least: number) => {
    const value = settings[name]
    if (value !== undefined && !(Number.isSafeInteger(value) && (value as number) >= least)) {
      throw new TypeError(`the pool option ${name} must be a whole number of at least ${least}, it is ${value}`)
    }
  }
  whole("min", 0)
  whole("max", 1)
  whole("concurrency", 1)
  whole("queueCapacity", 0)
  whole("attempts", 1)
  whole("maxCalls", 1)
  whole("maxPayload", 0)
  whole("maxResult", 0)
  if (!(settings.spare >= 0)) throw new TypeError(`the pool option spare must be at least 0, it is ${settings.spare}`)
  if (settings.concurrency > maxConcurrency) {
    throw new TypeError(`the pool option concurrency must be at most ${maxConcurrency}, it is ${settings.concurrency}`)
  }
  if (settings.maxLifetime !== undefined && !(settings.maxLifetime > 0)) {
    throw new TypeError(`the pool option maxLifetime must be above 0, it is ${settings.maxLifetime} ms`)
  }
  // A program without types, or one that reads its options from a file, may pass any string.
  if (settings.strategy !== "spread" && settings.strategy !== "pack") {
    throw new TypeError(`the pool option strategy must be spread or pack, it is ${settings.strategy as string}`)
  }
  if (settings.metricsInterval !== undefined && settings.metricsInterval < leastInterval) {
    throw new TypeError(
      `the pool option metricsInterval must be at least ${leastInterval} ms, it is ${settings.metricsInterval} ms`
    )
  }
  oneOf("logLevel", settings.logLevel, LogLevel.values)
  oneOf("log", settings.log, severities)
  if (settings.min > settings.max) {
    throw new TypeError(`the pool option min (${settings.min}) is above max (${settings.max})`)
  }
  for (const name of ["bootTimeout", "drainTimeout", "cancelGrace", "silenceLimit", "reasonGrace"] as const) {
    if (!(settings[name] >= 0 && Number.isFinite(settings[name]))) {
      throw new TypeError(`the pool option ${name} must be a finite duration, it is ${settings[name]} ms`)
    }
  }
}

/** The pauses after failed boots, in milliseconds: the first lasts 1 to 2 times `base`, the longest at most `cap`. */
const backoff = { base: 1_000, cap: 30_000 }

/** The part of the settings that the policy needs, as options of the policy. */
export const toPolicyOptions = (settings: Settings, asksIdle: boolean): PolicyOptions => ({
  min: settings.min,
  max: settings.max,
  concurrency: settings.concurrency,
  spare: settings.spare,
  queueCapacity: settings.queueCapacity,
  strategy: settings.strategy,
  maxCalls: settings.maxCalls,
  maxLifetime: settings.maxLifetime,
  idleTimeToLive: Number.isFinite(settings.idleTimeToLive) ? settings.idleTimeToLive : undefined,
  minIdleTimeToLive: settings.minIdleTimeToLive,
  asksIdle,
  backoff,
  crashLoopTime: settings.crashLoopTime,
  bootPatience: settings.bootPatience
})
