/**
 * The causes of a failed boot: the union that `BootFailed` carries as its `cause`.
 *
 * A cause is *transient* when a later try can succeed: callers then go on waiting within their budget. Any other cause
 * fails the waiting callers at once, because waiting would only hide the cause.
 */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"
import {
  CodeMismatch,
  CodeNative,
  CodeTooLarge,
  CodeUnbundled,
  CodeUnresolved,
  CodeUnwritten,
  NodeTooOld
} from "./CodeFailure.ts"
import { OutOfMemory, tail } from "./RunnerExit.ts"

export {
  CodeMismatch,
  CodeNative,
  CodeTooLarge,
  CodeUnbundled,
  CodeUnresolved,
  CodeUnwritten,
  NodeTooOld
} from "./CodeFailure.ts"

/**
 * The process of the runner ended before it served. A later try can succeed after a signal, but not after an exit code.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProcessExited extends Schema.TaggedError<ProcessExited>()("ProcessExited", {
  /** The exit code, or null if a signal ended the process. */
  code: Schema.NullOr(Schema.Int),
  /** The signal, or null if the process ended by itself. */
  signal: Schema.NullOr(Schema.String),
  /** The last lines of its stderr. */
  stderr: Schema.String
}) {
  override get message() {
    const how = this.signal === null ? `exited with code ${this.code}` : `was killed by ${this.signal}`
    return `its process ${how} before it served; ${
      this.stderr.trim() === "" ? "it wrote nothing to stderr" : `the end of its stderr${tail(this.stderr)}`
    }`
  }
}

/**
 * The program of the runner ran and ended, or refused, without becoming a runner.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotARunner extends Schema.TaggedError<NotARunner>()("NotARunner", {
  /** The cause, in words for people. */
  detail: Schema.String,
  /** The last lines of its stderr. */
  stderr: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `${this.detail}${tail(this.stderr)}`
  }
}

/**
 * The file that a runner should run does not exist.
 *
 * @since 0.1.0
 * @category errors
 */
export class EntryMissing extends Schema.TaggedError<EntryMissing>()("EntryMissing", {
  /** The path that was looked for. */
  entry: Schema.String,
  /** The programs that lie in its folder, for people. */
  beside: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    const beside = this.beside === undefined ? "" : ` (${this.beside})`
    return `the runner's entry ${this.entry} does not exist${beside}: check \`entry\` of the FlameLayer, or build it first`
  }
}

/**
 * Runner and parent speak different protocols, or have different schemas of one function.
 *
 * @since 0.1.0
 * @category errors
 */
export class VersionMismatch extends Schema.TaggedError<VersionMismatch>()("VersionMismatch", {
  /** The thing that differs: `protocol`, or the schemas of a function by name. */
  what: Schema.String,
  /** The version or layout that the parent has. */
  parent: Schema.String,
  /** The version or layout that the runner has. */
  runner: Schema.String
}) {
  override get message() {
    return `${this.what} differs: the parent has ${this.parent}, the runner has ${this.runner}; run both from the same code`
  }
}

/**
 * The runner lives, but did not come to serve within `bootTimeout`.
 *
 * @since 0.1.0
 * @category errors
 */
export class NeverConnected extends Schema.TaggedError<NeverConnected>()("NeverConnected", {
  /** The last step of its boot, such as `started` or `connected`. */
  phase: Schema.String,
  /** Advice on where to look. */
  hint: Schema.String,
  /** Milliseconds. */
  after: Schema.Number
}) {
  override get message() {
    return `after ${Math.round(this.after)} ms it had got as far as "${this.phase}": ${this.hint}`
  }
}

/**
 * The runner reported that it cannot serve.
 *
 * @since 0.1.0
 * @category errors
 */
export class Crashed extends Schema.TaggedError<Crashed>()("Crashed", {
  /** The exit code of its process, or null if the process has not ended. */
  exitCode: Schema.NullOr(Schema.Int),
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `it crashed${this.exitCode === null ? "" : ` with exit code ${this.exitCode}`}: ${this.detail}; look at its output`
  }
}

/**
 * The services that the runner's functions need could not be built there.
 *
 * @since 0.1.0
 * @category errors
 */
export class ServicesFailed extends Schema.TaggedError<ServicesFailed>()("ServicesFailed", {
  /** The cause, in words for people. */
  detail: Schema.String,
  /** Whether waiting cannot heal it: a config error, or a missing service. */
  permanent: Schema.optionalKey(Schema.Boolean)
}) {
  override get message() {
    const advice =
      this.permanent === true
        ? "correct the environment of the runner, or the layers of its services"
        : "see to what the services need on the runner, the parent tries the boot again"
    return `the runner could not build the services of its functions: ${this.detail}; ${advice}`
  }
}

/**
 * Makes a `ServicesFailed` of the cause with which a layer of services failed; keeps 2 000 characters of its text.
 *
 * @since 0.1.0
 * @category errors
 */
export const servicesFailed = (cause: Cause.Cause<unknown>): ServicesFailed => {
  const detail = (misconfigured(cause) ?? Cause.pretty(cause)).slice(0, 2_000)
  const isPermanent = cause.reasons.some(
    (reason) =>
      (reason._tag === "Fail" && isMistake(reason.error)) || (reason._tag === "Die" && isMistake(reason.defect))
  )
  return new ServicesFailed(isPermanent ? { detail, permanent: true } : { detail })
}

/** The variable that a layer wanted and its type, if the only cause is that the configuration does not have it. */
const misconfigured = ({ reasons }: Cause.Cause<unknown>): string | undefined => {
  const [reason] = reasons
  if (reason?._tag !== "Fail" || reasons.length > 1) return undefined
  const { _tag, cause } = Object(reason.error)
  if (_tag !== "ConfigError" || !(cause instanceof Error) || Object(cause)._tag !== "SchemaError") return undefined
  return `the configuration of the runner does not fit a layer: ${cause.message.replace(/\s*\n\s*/g, " ")}`
}

/** Whether an error, or one of its causes, is a mistake in the program or its configuration. */
const isMistake = (error: unknown): boolean => {
  let at = error
  for (let depth = 0; depth < 8 && typeof at === "object" && at !== null; depth++) {
    const { _tag, cause, message } = at as { _tag?: unknown; cause?: unknown; message?: unknown }
    // A provider of configuration that cannot be read now may be readable later.
    if (_tag === "SourceError") return false
    if (_tag === "ConfigError") return (cause as { _tag?: unknown } | undefined)?._tag !== "SourceError"
    if (at instanceof Error && typeof message === "string" && message.startsWith("Service not found")) return true
    at = cause
  }
  return false
}

/**
 * The `beforeBoot` hook failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class BeforeBootFailed extends Schema.TaggedError<BeforeBootFailed>()("BeforeBootFailed", {
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `the beforeBoot hook failed: ${this.detail}; mend the hook, the boot is tried again`
  }
}

/**
 * The system did not start the process of the runner.
 *
 * @since 0.1.0
 * @category errors
 */
export class LaunchFailed extends Schema.TaggedError<LaunchFailed>()("LaunchFailed", {
  /** The cause, in words for people. */
  detail: Schema.String,
  /** Whether waiting cannot heal it: arguments or an environment that are too large or invalid, no such binary, no right. */
  permanent: Schema.optionalKey(Schema.Boolean)
}) {
  override get message() {
    const advice =
      this.permanent === true
        ? "correct the command, its arguments, `env` or `cwd`"
        : "check the limits of processes, files and memory, the boot is tried again"
    return `it could not be started: ${this.detail}; ${advice}`
  }
}

/**
 * The runner ended by itself soon after it was ready, before it had completed a call.
 *
 * @since 0.1.0
 * @category errors
 */
export class EndedEarly extends Schema.TaggedError<EndedEarly>()("EndedEarly", {
  /** Milliseconds from being ready to the end. */
  after: Schema.Number,
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `it ended ${Math.round(this.after)} ms after it was ready, before it had completed a call: ${this.detail}; look at its output, the boot is tried again`
  }
}

/**
 * The image of the runner could not be pulled.
 *
 * @since 0.1.0
 * @category errors
 */
export class ImagePull extends Schema.TaggedError<ImagePull>()("ImagePull", {
  /** Name of the image. */
  image: Schema.String,
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `image ${this.image} could not be pulled: ${this.detail}; push it, or correct its name or the pull secrets`
  }
}

/**
 * No node had room for the runner within `scheduleTimeout`.
 *
 * @since 0.1.0
 * @category errors
 */
export class Unschedulable extends Schema.TaggedError<Unschedulable>()("Unschedulable", {
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `no place was found for it: ${this.detail}; make room, or request less for a runner`
  }
}

/**
 * A quota does not allow another runner now.
 *
 * @since 0.1.0
 * @category errors
 */
export class QuotaExceeded extends Schema.TaggedError<QuotaExceeded>()("QuotaExceeded", {
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `a quota does not allow another runner: ${this.detail}; lower \`max\`, or raise the quota`
  }
}

/**
 * The parent lacks a right that booting a runner needs.
 *
 * @since 0.1.0
 * @category errors
 */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", {
  /** The verb that was refused, such as `create`. */
  verb: Schema.String,
  /** The resource that it was refused on, such as `pods`. */
  resource: Schema.String,
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `the parent may not ${this.verb} ${this.resource}, grant it that right: ${this.detail}`
  }
}

/**
 * The runner as it is configured was refused as invalid.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidSpec extends Schema.TaggedError<InvalidSpec>()("InvalidSpec", {
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/**
 * A policy of the cluster does not allow the runner. `by` names the policy.
 *
 * @since 0.1.0
 * @category errors
 */
export class AdmissionDenied extends Schema.TaggedError<AdmissionDenied>()("AdmissionDenied", {
  /** The policy that refuses it: `PodSecurity`, a webhook, a LimitRange. */
  by: Schema.String,
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.by} does not allow it: ${this.detail}; change the runner by the options of the layer, or the policy`
  }
}

/**
 * The runner was taken away before it served: evicted, preempted or deleted, or its node is gone.
 *
 * @since 0.1.0
 * @category errors
 */
export class Removed extends Schema.TaggedError<Removed>()("Removed", {
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `it was taken away before it served: ${this.detail}; the boot is tried again`
  }
}

/**
 * The API that makes runners exist could not be reached, or did not answer.
 *
 * @since 0.1.0
 * @category errors
 */
export class ApiUnavailable extends Schema.TaggedError<ApiUnavailable>()("ApiUnavailable", {
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `${this.detail}; the boot is tried again`
  }
}

/**
 * The API server cannot be used by this process: it never answered, its certificate is not trusted, or it does not accept
 * the credentials.
 *
 * Waiting does not help, so callers fail at once. An API server that answered before and is away now is `ApiUnavailable`.
 *
 * @since 0.1.0
 * @category errors
 */
export class ApiUnreachable extends Schema.TaggedError<ApiUnreachable>()("ApiUnreachable", {
  /** The address of the API server. */
  server: Schema.String,
  /** The code of the cause: `ECONNREFUSED`, `ENOTFOUND`, a code of TLS, `TimedOut`, `Unauthorized`, `NoCredentials`. */
  reason: Schema.String,
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `the Kubernetes API at ${this.server} cannot be used (${this.reason}): ${this.detail}`
  }
}

const members = [
  ProcessExited,
  NotARunner,
  EntryMissing,
  VersionMismatch,
  NeverConnected,
  Crashed,
  ServicesFailed,
  BeforeBootFailed,
  LaunchFailed,
  EndedEarly,
  OutOfMemory,
  ImagePull,
  Unschedulable,
  QuotaExceeded,
  Forbidden,
  InvalidSpec,
  AdmissionDenied,
  Removed,
  ApiUnavailable,
  ApiUnreachable,
  CodeUnbundled,
  CodeNative,
  CodeTooLarge,
  CodeMismatch,
  CodeUnresolved,
  CodeUnwritten,
  NodeTooOld
] as const

/**
 * Every cause of a failed boot.
 *
 * @since 0.1.0
 * @category errors
 */
export const BootFailure: Schema.Union<typeof members> = Schema.Union(members)
/**
 * Any cause of a failed boot; `_tag` tells which.
 *
 * @since 0.1.0
 * @category errors
 */
export type BootFailure = (typeof members)[number]["Type"]

/**
 * Whether trying the boot again later can help without anybody changing anything.
 *
 * @since 0.1.0
 * @category errors
 */
export const isTransient = (cause: BootFailure): boolean => {
  switch (cause._tag) {
    case "ProcessExited":
      return cause.signal !== null
    case "ServicesFailed":
    case "LaunchFailed":
      return cause.permanent !== true
    case "BeforeBootFailed":
    case "EndedEarly":
    case "OutOfMemory":
    case "Unschedulable":
    case "QuotaExceeded":
    case "Removed":
    case "ApiUnavailable":
      return true
    default:
      return false
  }
}
