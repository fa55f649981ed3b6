/** The failed boot of a runner whose services could not be built, and whether waiting can heal it. */
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"

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
  permanent: Schema.optionalKey(Schema.Boolean),
  /** Other pools, whose functions share these services. Absent if there is none. */
  otherPools: Schema.optionalKey(Schema.Array(Schema.String))
}) {
  override get message() {
    const advice =
      this.permanent === true
        ? "correct the environment of the runner, or the layers of its services"
        : "see to what the services need on the runner, the parent tries the boot again"
    const shared =
      this.otherPools === undefined
        ? ""
        : `; runners of every pool build \`services\`: if only the functions of ${this.otherPools.join(" or of ")} need what failed, serve them by Flame.forPool(thatPool, { functions, services })`
    return `the runner could not build the services of its functions: ${this.detail}; ${advice}${shared}`
  }
}

/**
 * Makes a `ServicesFailed` of the cause with which a layer of services failed; keeps 2 000 characters of its text. The
 * error names the other pools whose functions share the layer.
 *
 * @since 0.1.0
 * @category errors
 */
export const servicesFailed = (cause: Cause.Cause<unknown>, otherPools: ReadonlyArray<string> = []): ServicesFailed => {
  const detail = (misconfigured(cause) ?? Cause.pretty(cause)).slice(0, 2_000)
  const isPermanent = cause.reasons.some(
    (reason) =>
      (reason._tag === "Fail" && isMistake(reason.error)) || (reason._tag === "Die" && isMistake(reason.defect))
  )
  return new ServicesFailed({
    detail,
    ...(isPermanent ? { permanent: true } : {}),
    ...(otherPools.length === 0 ? {} : { otherPools })
  })
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
