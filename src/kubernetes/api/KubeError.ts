/** Why the API server did not do what was asked: its own no, no answer, or no way to it. */
import * as Schema from "effect/Schema"

/** One request to the API server that failed. */
export class KubeError extends Schema.TaggedError<KubeError>()("KubeError", {
  /** What was asked, such as `create pods`. */
  verb: Schema.String,
  resource: Schema.String,
  /** The HTTP code; undefined where no answer came. */
  status: Schema.optionalKey(Schema.Int),
  /**
   * The reason that the API server gives, such as `Forbidden`, or the name of the code where it gives none; for want of
   * an answer `Unreachable`, `TimedOut`, `Untrusted` (its certificate) or `NoCredentials`; `Garbled` where what came is
   * not what was asked for, `TooLarge` where it is more than is taken.
   */
  reason: Schema.String,
  detail: Schema.String,
  /** Fields that an `Invalid` names. */
  fields: Schema.optionalKey(Schema.Array(Schema.String)),
  /** The object's name, where the API server names one. */
  name: Schema.optionalKey(Schema.String),
  /** How long the server asks to wait, in milliseconds. */
  retryAfter: Schema.optionalKey(Schema.Number),
  /** Whether the same request may succeed later without anybody changing anything. */
  retryable: Schema.Boolean,
  /** Whether an earlier try of the same request had no sure answer, so that what was asked may be done all the same. */
  mayBeDone: Schema.optionalKey(Schema.Boolean)
}) {
  /** Whether it is the API server's own no to what was asked; whoever is asked in its place may answer for one that has done it. */
  get isRefusal(): boolean {
    return this.mayBeDone !== true && this.status !== undefined && this.status < 500
  }

  override get message() {
    const code = this.status === undefined ? this.reason : `${this.status} ${this.reason}`
    return `the Kubernetes API did not ${this.verb} ${this.resource} (${code}): ${this.detail}`
  }
}

/** There is no usable configuration of a way to an API server. */
export class KubeUnconfigured extends Schema.TaggedError<KubeUnconfigured>()("KubeUnconfigured", {
  detail: Schema.String
}) {
  override get message() {
    return `no way to a Kubernetes API server: ${this.detail}`
  }
}
