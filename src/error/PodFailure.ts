/** The causes of a failed boot on Kubernetes. `BootFailure` is the union of all causes. */
import * as Schema from "effect/Schema"

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
