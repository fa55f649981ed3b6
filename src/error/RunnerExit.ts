/**
 * Why a runner went: what its backend knows once the process or pod has ended.
 *
 * `gone` travels beside the reason, not in it: a connection may be lost while the process still computes.
 */
import * as Schema from "effect/Schema"
import { printable } from "./PeerText.ts"

/** The runner's process or container was ended for using more memory than it may. */
export class OutOfMemory extends Schema.TaggedError<OutOfMemory>()("OutOfMemory", {
  limit: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `it ran out of memory${this.limit === undefined ? "" : ` (limit ${this.limit})`}: give runners more, or lower \`concurrency\``
  }
}

/** The runner was evicted from where it ran. */
export class Evicted extends Schema.TaggedError<Evicted>()("Evicted", { detail: Schema.String }) {
  override get message() {
    return `it was evicted: ${this.detail}`
  }
}

/** The runner had to make room for something of higher priority, or its spot capacity ended. */
export class Preempted extends Schema.TaggedError<Preempted>()("Preempted", { detail: Schema.String }) {
  override get message() {
    return `it was preempted: ${this.detail}`
  }
}

/** Somebody deleted the runner. */
export class Deleted extends Schema.TaggedError<Deleted>()("Deleted", {}) {
  override get message() {
    return "somebody deleted it"
  }
}

/** The machine the runner ran on is gone. */
export class NodeLost extends Schema.TaggedError<NodeLost>()("NodeLost", { node: Schema.String }) {
  override get message() {
    return `its node ${this.node} is gone`
  }
}

/** The runner was ended by a signal; `by` says who sent it, where that is known. */
export class Killed extends Schema.TaggedError<Killed>()("Killed", {
  signal: Schema.String,
  by: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `it was killed by ${this.signal}${this.by === undefined ? "" : ` (${this.by})`}`
  }
}

/** The runner's process ended by itself with an exit code. */
export class Exited extends Schema.TaggedError<Exited>()("Exited", {
  code: Schema.Int,
  stderr: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `its process exited with code ${this.code}${tail(this.stderr)}`
  }
}

/** The connection closed and nothing else is known (yet). */
export class Disconnected extends Schema.TaggedError<Disconnected>()("Disconnected", {
  detail: Schema.optionalKey(Schema.String)
}) {
  override get message() {
    return `its connection closed${this.detail === undefined ? "" : `: ${this.detail}`}`
  }
}

/** Every way in which a runner can go. */
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
/** Any way in which a runner went; `_tag` tells which. */
export type ExitReason = typeof ExitReason.Type

/** How a runner ended. `gone` says whether it is known to have ended, so that nothing of it can still run. */
export interface RunnerExit {
  readonly reason: ExitReason
  readonly gone: boolean
}

/** The last lines of an output, indented under a message; nothing where there was none. */
export const tail = (output: string | undefined): string =>
  output === undefined || output.trim() === "" ? "" : `:\n  ${printable(lastLines(output)).replaceAll("\n", "\n  ")}`

const lastLines = (output: string): string => output.trimEnd().split("\n").slice(-20).join("\n")
