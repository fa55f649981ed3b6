/** Errors of the API client: a request that failed, and a missing configuration. */
import * as Schema from "effect/Schema"

/**
 * A request to the API server that failed.
 *
 * @since 0.1.0
 * @category errors
 */
export class KubeError extends Schema.TaggedError<KubeError>()("KubeError", {
  /** The verb in the words of RBAC: `create`, `get`, `list`, `watch`, `delete`. */
  verb: Schema.String,
  /** The resource in the words of RBAC: `pods`, `pods/log`, `secrets`. */
  resource: Schema.String,
  /** The HTTP status. Undefined if no answer came. */
  status: Schema.optionalKey(Schema.Int),
  /**
   * The reason in the API server's answer, such as `Forbidden`, or the name of the status if the answer gives none.
   *
   * Without an answer: `Unreachable`, `TimedOut`, `Untrusted` (the server's certificate) or `NoCredentials`. With an
   * unusable answer: `Garbled` (not what the request asked for) or `TooLarge`.
   */
  reason: Schema.String,
  /** The cause, in the words of the API server or of the operating system. */
  detail: Schema.String,
  /** The address of the API server. */
  server: Schema.optionalKey(Schema.String),
  /** The code of the operating system or of TLS, such as `ECONNREFUSED`, if there is one. */
  code: Schema.optionalKey(Schema.String),
  /** The fields that an `Invalid` names. */
  fields: Schema.optionalKey(Schema.Array(Schema.String)),
  /** The object's name, if the API server names one. */
  name: Schema.optionalKey(Schema.String),
  /** How long the API server asks clients to wait. Milliseconds. */
  retryAfter: Schema.optionalKey(Schema.Number),
  /** Whether the same request may succeed later without any change by a person. */
  retryable: Schema.Boolean,
  /** Whether an earlier try of this request had no definite answer: the request may have been executed. */
  mayBeDone: Schema.optionalKey(Schema.Boolean)
}) {
  /**
   * Whether the API server itself refused the request, so that the request was certainly not executed.
   *
   * A gateway's 5xx is not a refusal: the API server may have executed the request.
   */
  get isRefusal(): boolean {
    return this.mayBeDone !== true && this.status !== undefined && this.status < 500
  }

  override get message() {
    const code = this.status === undefined ? this.reason : `${this.status} ${this.reason}`
    return `the Kubernetes API did not ${this.verb} ${this.resource} (${code}): ${this.detail}`
  }
}

/**
 * No configuration leads to an API server: no kubeconfig, no service account, or an unreadable one.
 *
 * @since 0.1.0
 * @category errors
 */
export class KubeUnconfigured extends Schema.TaggedError<KubeUnconfigured>()("KubeUnconfigured", {
  /** Where a configuration was looked for, and what is missing there. */
  detail: Schema.String
}) {
  override get message() {
    return `no way to a Kubernetes API server: ${this.detail}`
  }
}
