/**
 * The causes of a failed boot: the union that `BootFailed` carries as its `cause`.
 *
 * A cause is *transient* when a later try can succeed: callers then go on waiting within their budget. Any other cause
 * fails the waiting callers at once, because waiting would only hide the cause.
 *
 * A new cause needs a class, its place in `members`, its answer in `isTransient`, and its advice in
 * `cli/doctor/ProbeChecks.ts`. The compiler reports a missing answer or advice. Causes on pods are detected in
 * `kubernetes/verdict/`: `PodWaiting.ts`, `PodDiagnosis.ts` and `KubeFailure.ts`.
 */
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
import {
  AdmissionDenied,
  ApiUnavailable,
  ApiUnreachable,
  Forbidden,
  ImagePull,
  InvalidSpec,
  QuotaExceeded,
  Removed,
  Unschedulable
} from "./PodFailure.ts"
import { EntryMissing, LaunchFailed, NotARunner, ProcessExited } from "./ProcessFailure.ts"
import { ServicesFailed } from "./ServicesFailed.ts"
import { OutOfMemory } from "./RunnerExit.ts"

export {
  CodeMismatch,
  CodeNative,
  CodeTooLarge,
  CodeUnbundled,
  CodeUnresolved,
  CodeUnwritten,
  NodeTooOld
} from "./CodeFailure.ts"
export {
  AdmissionDenied,
  ApiUnavailable,
  ApiUnreachable,
  Forbidden,
  ImagePull,
  InvalidSpec,
  QuotaExceeded,
  Removed,
  Unschedulable
} from "./PodFailure.ts"
export { EntryMissing, LaunchFailed, NotARunner, ProcessExited } from "./ProcessFailure.ts"
export { ServicesFailed, servicesFailed } from "./ServicesFailed.ts"

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
    case "NotARunner":
    case "EntryMissing":
    case "VersionMismatch":
    case "NeverConnected":
    case "Crashed":
    case "ImagePull":
    case "Forbidden":
    case "InvalidSpec":
    case "AdmissionDenied":
    case "ApiUnreachable":
    case "CodeUnbundled":
    case "CodeNative":
    case "CodeTooLarge":
    case "CodeMismatch":
    case "CodeUnresolved":
    case "CodeUnwritten":
    case "NodeTooOld":
      return false
  }
}
