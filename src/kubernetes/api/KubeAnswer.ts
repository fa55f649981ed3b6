/** Pure: what an answer of the API server, or the lack of one, means to who asked. */
import type { Status } from "../object/KubeObjects.ts"
import { KubeError } from "./KubeError.ts"

/** What was asked, in the words of RBAC. */
export interface Asked {
  readonly verb: string
  readonly resource: string
}

/** An answer that is not 2xx. */
export interface FailedAnswer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: string
}

const parsed = (body: string): Status => {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === "object" && value !== null ? value : {}
  } catch {
    return {}
  }
}

const names: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  502: "BadGateway",
  503: "ServiceUnavailable",
  504: "Timeout"
}

const isRetryable = (code: number, message: string): boolean =>
  code === 429 ||
  (code >= 500 && code !== 501 && code !== 505) ||
  // two creates at once counted against one quota; the server gives up after some tries of its own
  (code === 409 && message.includes("Operation cannot be fulfilled on resourcequotas"))

/** Milliseconds of a `Retry-After`, which is seconds or a date. */
const waitOf = (header: string | undefined, status: Status, now: number): number | undefined => {
  const seconds = header === undefined ? status.details?.retryAfterSeconds : Number(header)
  if (seconds === undefined) return undefined
  if (!Number.isNaN(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(header ?? "")
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** An error page of a proxy may be long; nobody wants all of it in a log. */
const shortened = (text: string): string => {
  const line = text.replaceAll(/\s+/g, " ").trim()
  return line.length > 500 ? `${line.slice(0, 498)}...` : line
}

/** The error of an answer. */
export const refused = (asked: Asked, { body, retryAfter, status: code }: FailedAnswer, now: number): KubeError => {
  const status = parsed(body)
  const detail = status.message || shortened(body) || `the server answered with code ${code} and no words`
  const fields = (status.details?.causes ?? []).flatMap(({ field }) => field || [])
  const wait = waitOf(retryAfter, status, now)
  return new KubeError({
    verb: asked.verb,
    resource: asked.resource,
    status: code,
    reason: status.reason || names[code] || `Code${code}`,
    detail,
    ...(fields.length > 0 ? { fields } : {}),
    ...(status.details?.name ? { name: status.details.name } : {}),
    ...(wait === undefined ? {} : { retryAfter: wait }),
    retryable: isRetryable(code, detail)
  })
}

const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH/

/** The error of a request whose connection could not be made or broke. */
export const broken = (asked: Asked, server: string, cause: Error): KubeError => {
  const { code = "" } = cause as NodeJS.ErrnoException
  const distrust = untrusted.test(code)
  return noAnswer(
    asked,
    distrust ? "Untrusted" : "Unreachable",
    `${server}: ${cause.message || code || "the connection broke"}`,
    !distrust
  )
}

/** The error of a request that got no usable answer. */
export const noAnswer = (asked: Asked, reason: string, detail: string, retryable: boolean): KubeError =>
  new KubeError({ verb: asked.verb, resource: asked.resource, reason, detail, retryable })
