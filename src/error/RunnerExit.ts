/**
 * The reason why a runner ended, as its backend knows it once the process or pod has ended.
 *
 * `gone` travels beside the reason, not in it: a connection may be lost while the process still computes.
 */
import * as Schema from "effect/Schema"
import { printable } from "./PeerText.ts"

/**
 * The runner's process or container was ended for using more memory than it may.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutOfMemory extends Schema.TaggedError<OutOfMemory>()("OutOfMemory", {
  /** The memory limit, if it is known. */
  limit: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `it ran out of memory${this.limit === undefined ? "" : ` (limit ${this.limit})`}: give runners more, or lower \`concurrency\``
  }
}

/**
 * The runner was evicted from its node.
 *
 * @since 0.1.0
 * @category errors
 */
export class Evicted extends Schema.TaggedError<Evicted>()("Evicted", {
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `it was evicted: ${this.detail}`
  }
}

/**
 * The runner had to make room for something of higher priority, or its spot capacity ended.
 *
 * @since 0.1.0
 * @category errors
 */
export class Preempted extends Schema.TaggedError<Preempted>()("Preempted", {
  /** The cause, in words for people. */
  detail: Schema.String
}) {
  override get message() {
    return `it was preempted: ${this.detail}`
  }
}

/**
 * Somebody deleted the runner.
 *
 * @since 0.1.0
 * @category errors
 */
export class Deleted extends Schema.TaggedError<Deleted>()("Deleted", {}) {
  override get message() {
    return "somebody deleted it"
  }
}

/**
 * The node that the runner ran on is gone.
 *
 * @since 0.1.0
 * @category errors
 */
export class NodeLost extends Schema.TaggedError<NodeLost>()("NodeLost", {
  /** Name of the node. */
  node: Schema.String
}) {
  override get message() {
    return `its node ${this.node} is gone`
  }
}

/**
 * A signal ended the runner.
 *
 * @since 0.1.0
 * @category errors
 */
export class Killed extends Schema.TaggedError<Killed>()("Killed", {
  /** The signal that ended its process. */
  signal: Schema.String,
  /** The sender of the signal and its reason, where they are known. */
  by: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `it was killed by ${this.signal}${this.by === undefined ? "" : ` (${this.by})`}`
  }
}

/**
 * The runner's process ended by itself with an exit code.
 *
 * @since 0.1.0
 * @category errors
 */
export class Exited extends Schema.TaggedError<Exited>()("Exited", {
  /** The exit code. */
  code: Schema.Int,
  /** The last lines of its stderr. */
  stderr: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `its process exited with code ${this.code}${tail(this.stderr)}`
  }
}

/**
 * The connection to the runner closed, and nothing else is known yet.
 *
 * @since 0.1.0
 * @category errors
 */
export class Disconnected extends Schema.TaggedError<Disconnected>()("Disconnected", {
  /** The cause, in words for people. */
  detail: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `its connection closed${this.detail === undefined ? "" : `: ${this.detail}`}`
  }
}

/**
 * Every reason for the end of a runner.
 *
 * @since 0.1.0
 * @category errors
 */
export const ExitReason: Schema.Union<
  [
    typeof OutOfMemory,
    typeof Evicted,
    typeof Preempted,
    typeof Deleted,
    typeof NodeLost,
    typeof Killed,
    typeof Exited,
    typeof Disconnected
  ]
> = Schema.Union([OutOfMemory, Evicted, Preempted, Deleted, NodeLost, Killed, Exited, Disconnected])
/**
 * Any reason for the end of a runner. `_tag` says which one.
 *
 * @since 0.1.0
 * @category errors
 */
export type ExitReason = typeof ExitReason.Type

/**
 * The end of a runner. `gone` says whether the runner is known to have ended, so that nothing of it can still run.
 *
 * @since 0.1.0
 * @category errors
 */
export interface RunnerExit {
  readonly reason: ExitReason
  readonly gone: boolean
}

/**
 * The last lines of an output, indented under a message. Empty if there is no output.
 *
 * @since 0.1.0
 * @category errors
 */
export const tail = (output: string | undefined): string =>
  output === undefined || output.trim() === "" ? "" : `:\n  ${printable(lastLines(output)).replaceAll("\n", "\n  ")}`

const lastLines = (output: string): string => output.trimEnd().split("\n").slice(-20).join("\n")
