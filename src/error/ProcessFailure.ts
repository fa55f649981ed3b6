/** The causes of a failed boot that concern the process of a runner: it did not start, or it ended before it served. */
import * as Schema from "effect/Schema"
import { tail } from "./RunnerExit.ts"

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
