/**
 * Everything besides a function's own error that a caller of `Flame.call` can catch.
 *
 * One error with a `reason` union, so that `Effect.catchReason("FlameError", "QueueFull", …)` works.
 */
import { hasProperty } from "effect/Predicate"
import * as Schema from "effect/Schema"
import { BootFailure, isTransient } from "./BootFailure.ts"
import { ExitReason } from "./RunnerExit.ts"

/** More callers wait than `queueCapacity` allows; told at once. */
export class QueueFull extends Schema.TaggedError<QueueFull>()("QueueFull", {
  pool: Schema.String,
  function: Schema.String,
  waiting: Schema.Int,
  capacity: Schema.Int
}) {
  override get message() {
    return `${this.function} was not accepted: ${this.waiting} calls wait in pool ${this.pool} already, as many as its queueCapacity of ${this.capacity} allows; try again later, or raise \`max\` or \`queueCapacity\``
  }
}

/** The whole budget of a call was spent; `phase` says on what. */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", {
  pool: Schema.String,
  function: Schema.String,
  runner: Schema.optionalKey(Schema.String),
  phase: Schema.Literals(["queued", "booting", "running"]),
  /** Milliseconds. */
  after: Schema.Number,
  /** What kept `runner` from serving, such as the words of a scheduler or how far its boot has got. */
  waitsFor: Schema.optionalKey(Schema.String),
  /** Why the last boot failed, where no boot has succeeded since. */
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
    return `${this.function} took longer than its ${this.after} ms: ${advice[this.phase]}`
  }
}

/** No runner could be booted for the call. */
export class BootFailed extends Schema.TaggedError<BootFailed>()("BootFailed", {
  pool: Schema.String,
  runner: Schema.optionalKey(Schema.String),
  attempts: Schema.Int,
  cause: BootFailure
}) {
  override get message() {
    // without any attempt the program itself is wrong, and the cause says all there is to say
    if (this.attempts === 0) return this.cause.message
    const attempts = this.attempts === 1 ? "first attempt" : `${this.attempts} attempts`
    return `pool ${this.pool} could not boot a runner (${attempts}): ${this.cause.message}`
  }
}

/** Why no runner was ready, and what to do where nothing has failed. */
const whyNone = ({ cause, runner, waitsFor }: TimedOut): string => {
  const boot = waitsFor === undefined ? "" : `, runner ${runner}: ${waitsFor}`
  return cause === undefined
    ? `${boot}; raise its timeout or \`min\``
    : `${boot}; the last boot failed: ${cause.message}`
}

/** The runner went while it had the call. Never sent again by itself unless the function is `idempotent`. */
export class RunnerLost extends Schema.TaggedError<RunnerLost>()("RunnerLost", {
  pool: Schema.String,
  function: Schema.String,
  runner: Schema.String,
  exit: ExitReason,
  mayHaveRun: Schema.Boolean,
  gone: Schema.Boolean,
  /** How often the call was sent, where that is as often as the pool's `attempts` allows. */
  attempts: Schema.optionalKey(Schema.Int)
}) {
  override get message() {
    const advice = adviceOnLoss(this)
    // after the last words of a runner the advice would be taken for one of them
    const separator = this.exit.message.includes("\n") ? "\n" : ". "
    return `runner ${this.runner} of pool ${this.pool} was lost with ${this.function}: ${this.exit.message}${separator}${advice}`
  }
}

const adviceOnLoss = ({ attempts, mayHaveRun }: RunnerLost): string => {
  if (mayHaveRun && attempts !== undefined)
    return `The call was sent ${attempts} times, each time its runner went; look whether the call ends its runners, or raise \`attempts\``
  if (mayHaveRun) return "The call may have run; declare the function `idempotent` if it may simply run again"
  const refused = attempts === undefined ? "" : `${attempts} runners refused the call. `
  return `${refused}The call did not run, it is safe to try again`
}

/** A placed service is not there any more: it has ended by itself, has died, or its owner's Scope is closed. */
export class ServiceEnded extends Schema.TaggedError<ServiceEnded>()("ServiceEnded", {
  pool: Schema.String,
  /** The service, or what was asked of it. */
  function: Schema.String,
  runner: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.function} is not served any more on runner ${this.runner} of pool ${this.pool}: ${this.detail}; place the service again if it is still needed`
  }
}

/** The runner's code does not have the function. */
export class FunctionMissing extends Schema.TaggedError<FunctionMissing>()("FunctionMissing", {
  pool: Schema.String,
  function: Schema.String,
  runner: Schema.String,
  parentBuild: Schema.String,
  runnerBuild: Schema.String
}) {
  override get message() {
    return `runner ${this.runner} of pool ${this.pool} does not serve ${this.function} (parent build ${this.parentBuild}, runner build ${this.runnerBuild}): add it to \`functions\` of Flame.main or to FlameRunner.serve`
  }
}

/** The pool that a call names is not there where the call is made. */
export class PoolMissing extends Schema.TaggedError<PoolMissing>()("PoolMissing", {
  pool: Schema.String,
  function: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `${this.function} needs pool ${this.pool}, which is not there: ${this.detail}`
  }
}

/** Calls are nested deeper than the limit. */
export class TooDeep extends Schema.TaggedError<TooDeep>()("TooDeep", {
  function: Schema.String,
  depth: Schema.Int,
  limit: Schema.Int
}) {
  override get message() {
    return `${this.function} is nested ${this.depth} calls deep, the limit is ${this.limit}: look for a function that calls itself without end`
  }
}

/** The payload does not match the function's schema; found before anything was sent. Values are never part of it. */
export class InvalidPayload extends Schema.TaggedError<InvalidPayload>()("InvalidPayload", {
  function: Schema.String,
  issues: Schema.Array(Schema.Struct({ path: Schema.String, problem: Schema.String }))
}) {
  override get message() {
    const issues = this.issues.map(({ path, problem }) => (path === "" ? problem : `${path}: ${problem}`)).join("; ")
    return `the payload of ${this.function} does not match its schema: ${issues}`
  }
}

/** A payload or result is larger than allowed; a payload is refused before anything is sent. */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>()("PayloadTooLarge", {
  function: Schema.String,
  size: Schema.Number,
  limit: Schema.Number,
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

/** The pool is shutting down, or has shut down. */
export class PoolClosed extends Schema.TaggedError<PoolClosed>()("PoolClosed", {
  pool: Schema.String,
  function: Schema.String
}) {
  override get message() {
    return `pool ${this.pool} is closed: ${this.function} was not started; make calls before the program shuts down`
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

/** Every reason of a `FlameError`. */
export const Reason: Schema.Union<typeof members> = Schema.Union(members)
/** Any reason of a `FlameError`; `_tag` tells which. */
export type Reason = (typeof members)[number]["Type"]

/** What a call can fail with besides the function's own error; `reason` says what happened and what to do. */
export class FlameError extends Schema.TaggedError<FlameError>()("FlameError", { reason: Reason }) {
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
 */
export const isRetryable = (u: unknown): boolean =>
  hasProperty(u, "_tag") && u._tag === "FlameError" && u instanceof FlameError && retryable(u.reason)

/**
 * A defect of a function: what it threw or died with on its runner, for its own call only.
 *
 * `stack` is the remote one; `runner` and `function` say where it happened.
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
