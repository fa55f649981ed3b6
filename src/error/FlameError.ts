/**
 * The error that a caller of `Flame.call` can catch besides the function's own one.
 *
 * `FlameError` carries a union of reasons, so that `Effect.catchReason("FlameError", "QueueFull", …)` works.
 */
import { hasProperty } from "effect/Predicate"
import * as Schema from "effect/Schema"
import { BootFailure, isTransient } from "./BootFailure.ts"
import { FunctionMissing, InvalidPayload, PoolClosed, PoolMissing, QueueFull, TooDeep } from "./NotStarted.ts"
import { ExitReason } from "./RunnerExit.ts"

export { FunctionMissing, InvalidPayload, PoolClosed, PoolMissing, QueueFull, TooDeep } from "./NotStarted.ts"

/**
 * The whole budget of a call is spent. `phase` says on what: waiting for a slot, booting, or running.
 *
 * @since 0.1.0
 * @category errors
 */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", {
  /** Id of the pool. */
  pool: Schema.String,
  /** Name of the function. */
  function: Schema.String,
  /** The runner that had the call, or that was booting for it. */
  runner: Schema.optionalKey(Schema.String),
  /** The phase that the call was in: waiting for a slot, waiting for a boot, or running. */
  phase: Schema.Literals(["queued", "booting", "running"]),
  /** Milliseconds. */
  after: Schema.Number,
  /** The reason that kept `runner` from serving, such as the words of a scheduler or how far its boot has got. */
  waitsFor: Schema.optionalKey(Schema.String),
  /** Why the last boot failed, if no boot has succeeded since. */
  cause: Schema.optionalKey(BootFailure)
}) {
  override get message() {
    const advice = {
      queued:
        this.waitsFor === undefined
          ? `every slot of pool ${this.pool} was busy; raise \`max\`, \`concurrency\` or its timeout`
          : `no slot of pool ${this.pool} was free: ${this.waitsFor}`,
      booting: `no runner of pool ${this.pool} was ready for it${whyNone(this)}`,
      running: `it ran on runner ${this.runner}, where it is being stopped; raise its timeout, or make it faster`
    }
    return `${this.function} took longer than its ${Math.round(this.after)} ms: ${advice[this.phase]}`
  }
}

/**
 * No runner could be booted for the call. `cause` is the last reason; nothing has run.
 *
 * @since 0.1.0
 * @category errors
 */
export class BootFailed extends Schema.TaggedError<BootFailed>()("BootFailed", {
  /** Id of the pool. */
  pool: Schema.String,
  /** The runner whose boot failed last. */
  runner: Schema.optionalKey(Schema.String),
  /** How many boots have failed in a row. 0 if no boot was tried, because the program itself is wrong. */
  attempts: Schema.Int,
  /** Why the last boot failed. */
  cause: BootFailure
}) {
  override get message() {
    // Without any attempt the program itself is wrong, and the cause says everything.
    if (this.attempts === 0) return this.cause.message
    const attempts = this.attempts === 1 ? "first attempt" : `${this.attempts} attempts`
    return `pool ${this.pool} could not boot a runner (${attempts}): ${this.cause.message}`
  }
}

/** Why no runner was ready, and what to do if nothing has failed. */
const whyNone = ({ cause, runner, waitsFor }: TimedOut): string => {
  const boot = waitsFor === undefined ? "" : `, runner ${runner}: ${waitsFor}`
  return cause === undefined
    ? `${boot}; raise its timeout or \`min\``
    : `${boot}; the last boot failed: ${cause.message}`
}

/**
 * The runner ended or was lost while it had the call. Only a function that is `idempotent` is sent again without the
 * caller.
 *
 * @since 0.1.0
 * @category errors
 */
export class RunnerLost extends Schema.TaggedError<RunnerLost>()("RunnerLost", {
  /** Id of the pool. */
  pool: Schema.String,
  /** Name of the function. */
  function: Schema.String,
  /** Name of the runner, as events and logs have it. */
  runner: Schema.String,
  /** Why the runner went, as far as its backend knows. */
  exit: ExitReason,
  /** Whether the function may have begun to run. Where false, the same call can be made again safely. */
  mayHaveRun: Schema.Boolean,
  /** Whether the runner is known to have ended, so that nothing of the call can still run. */
  gone: Schema.Boolean,
  /** How often the call was sent, where that is as often as the pool's `attempts` allows. */
  attempts: Schema.optionalKey(Schema.Int)
}) {
  override get message() {
    const advice = adviceOnLoss(this)
    const [ending, ...output] = this.exit.message.split("\n")
    // The log has the output, in the line about the lost runner, and each lost call would repeat that output.
    const exit = output.length === 0 ? ending : `${ending!.replace(/:$/, "")} (the log has its last output)`
    return `runner ${this.runner} of pool ${this.pool} was lost with ${this.function}: ${exit}. ${advice}`
  }
}

const adviceOnLoss = ({ attempts, mayHaveRun }: RunnerLost): string => {
  if (mayHaveRun && attempts !== undefined)
    return `The call was sent ${attempts} times, each time its runner went; look whether the call ends its runners, or raise \`attempts\``
  if (mayHaveRun) return "The call may have run; declare the function `idempotent` if it may simply run again"
  const refused = attempts === undefined ? "" : `${attempts} runners refused the call. `
  return `${refused}The call did not run, it is safe to try again`
}

/**
 * A placed service is gone: it has ended or died by itself, or its owner has closed its Scope.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServiceEnded extends Schema.TaggedError<ServiceEnded>()("ServiceEnded", {
  /** Id of the pool. */
  pool: Schema.String,
  /** Name of the service, or of the procedure of the request. */
  function: Schema.String,
  /** Name of the runner, as events and logs have it. */
  runner: Schema.String,
  /** How it ended. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.function} is not served any more on runner ${this.runner} of pool ${this.pool}: ${this.detail}; place the service again if it is still needed`
  }
}

/**
 * A payload or result is larger than allowed; a payload is refused before anything is sent.
 *
 * @since 0.1.0
 * @category errors
 */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>()("PayloadTooLarge", {
  /** Name of the function. */
  function: Schema.String,
  /** Its size in bytes. */
  size: Schema.Number,
  /** The limit in bytes. */
  limit: Schema.Number,
  /** The side that was too large. */
  direction: Schema.Literals(["payload", "result"]),
  /** The option that sets the limit, where it is not `maxPayload` or `maxResult`. */
  option: Schema.optionalKey(Schema.Literal("maxValue"))
}) {
  override get message() {
    const { direction, limit, size } = this
    const otherwise = direction === "payload" ? "" : ", give a stream of parts"
    if (this.option === "maxValue") {
      return `the ${direction} of ${this.function} counts as at least ${size} bytes for its schema, the limit is ${limit}: raise \`maxValue\` of the function${otherwise}, or pass the value as bytes`
    }
    const option = direction === "payload" ? "maxPayload" : "maxResult"
    return `the ${direction} of ${this.function} has ${size} bytes, the limit is ${limit}: raise \`${option}\`${otherwise}, or pass a reference (a path, a URL, a key) instead of the bytes`
  }
}

const members = [
  QueueFull,
  TimedOut,
  BootFailed,
  RunnerLost,
  ServiceEnded,
  FunctionMissing,
  PoolMissing,
  TooDeep,
  InvalidPayload,
  PayloadTooLarge,
  PoolClosed
] as const

/**
 * Every reason of a `FlameError`.
 *
 * @since 0.1.0
 * @category errors
 */
export const Reason: Schema.Union<typeof members> = Schema.Union(members)
/**
 * Any reason of a `FlameError`; `_tag` tells which.
 *
 * @since 0.1.0
 * @category errors
 */
export type Reason = (typeof members)[number]["Type"]

/**
 * The error of a call besides the function's own one. `reason` says what happened; its message says what to do.
 *
 * @since 0.1.0
 * @category errors
 */
export class FlameError extends Schema.TaggedError<FlameError>()("FlameError", {
  /** The reason. Its `_tag` says which one. */
  reason: Reason
}) {
  override get message() {
    return this.reason.message
  }
}

const retryable = (reason: Reason): boolean => {
  switch (reason._tag) {
    case "QueueFull":
      return true
    case "TimedOut":
      return reason.phase !== "running"
    case "BootFailed":
      return isTransient(reason.cause)
    case "RunnerLost":
      return !reason.mayHaveRun
    default:
      return false
  }
}

/**
 * Whether trying the same call again is safe and can help, for `Effect.retry({ while: Flame.isRetryable })`.
 *
 * A plain boolean and not a type guard: where it is false the error may still be a `FlameError`, which a guard would take
 * out of the type.
 *
 * True for a full queue, a budget spent before the call ran, a boot that can heal, and a lost runner that did not run it.
 *
 * @since 0.1.0
 * @category errors
 */
export const isRetryable = (u: unknown): boolean =>
  hasProperty(u, "_tag") && u._tag === "FlameError" && u instanceof FlameError && retryable(u.reason)

/**
 * A defect of a function: what it threw or died with on its runner, for its own call only.
 *
 * `stack` is the remote one; `runner` and `function` say where it happened.
 *
 * @since 0.1.0
 * @category errors
 */
export class RemoteDefect extends Error {
  override readonly name: string = "RemoteDefect"
  readonly function: string
  readonly runner: string
  readonly remoteName: string

  constructor(options: {
    readonly function: string
    readonly runner: string
    readonly name: string
    readonly message: string
    readonly stack: string
  }) {
    super(`${options.function} died on runner ${options.runner} with ${options.name}: ${options.message}`)
    this.function = options.function
    this.runner = options.runner
    this.remoteName = options.name
    this.stack = `${this.name}: ${this.message}\n${options.stack}`
  }
}
