/** The options of a pool with every default filled in and every value checked, and the part of them that the policy needs. */
import * as Duration from "effect/Duration"
import * as LogLevel from "effect/LogLevel"
import type { Options as PolicyOptions } from "../policy/Step.ts"
import type { PoolOptions } from "./PoolOptions.ts"

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
