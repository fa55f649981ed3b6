/** Turns an answer of the API server, or a missing answer, into an error. Pure. */
import type { Status } from "../object/KubeObjects.ts"
import { KubeError } from "./KubeError.ts"

/** A request in the terms of RBAC. */
export interface Asked {
  readonly verb: string
  readonly resource: string
}

/** An answer whose status is not 2xx. */
export interface FailedAnswer {
  readonly status: number
  /** The header `Retry-After`. */
  readonly retryAfter: string | undefined
  readonly body: string
}

/** The parts of a `Status` that are there. A gateway before the API server answers in a JSON of its own. */
interface Told {
  readonly reason: string | undefined
  readonly message: string | undefined
  readonly name: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly fields: ReadonlyArray<string>
}

const parsed = (body: string): Told => {
  const status = jsonOf(body)
  const details = fieldOf(status, "details")
  const causes = fieldOf(details, "causes")
  const seconds = fieldOf(details, "retryAfterSeconds")
  return {
    reason: textIn(status, "reason"),
    message: textIn(status, "message"),
    name: textIn(details, "name"),
    retryAfterSeconds: typeof seconds === "number" ? seconds : undefined,
    fields: Array.isArray(causes) ? causes.flatMap((cause) => textIn(cause, "field") ?? []) : []
  }
}

const jsonOf = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

const fieldOf = (value: unknown, name: keyof Status | keyof NonNullable<Status["details"]> | "field"): unknown =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined

const textIn = (value: unknown, name: Parameters<typeof fieldOf>[1]): string | undefined => {
  const text = fieldOf(value, name)
  return typeof text === "string" && text !== "" ? text : undefined
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
  // Two creates changed the same quota at once, and the API server gave up after its own retries.
  (code === 409 && message.includes("Operation cannot be fulfilled on resourcequotas"))

/** Milliseconds of a `Retry-After`, which holds seconds or a date. */
const waitOf = (header: string | undefined, told: Told, now: number): number | undefined => {
  const seconds = header === undefined ? told.retryAfterSeconds : Number(header)
  if (seconds === undefined) return undefined
  if (!Number.isNaN(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(header ?? "")
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Text on one line and of at most 500 characters: the error page of a proxy may be long. */
const shortened = (text: string): string => {
  const line = text.replaceAll(/\s+/g, " ").trim()
  return line.length > 500 ? `${line.slice(0, 498)}...` : line
}

/** The error of an answer whose status is not 2xx. */
export const refused = (
  asked: Asked,
  { body, retryAfter, status: code }: FailedAnswer,
  now: number,
  server?: string
): KubeError => {
  const told = parsed(body)
  const detail = told.message ?? (shortened(body) || `the API server answered with status ${code} and an empty body`)
  const { fields, name } = told
  const wait = waitOf(retryAfter, told, now)
  return new KubeError({
    verb: asked.verb,
    resource: asked.resource,
    status: code,
    reason: told.reason ?? names[code] ?? `Code${code}`,
    detail,
    ...(server === undefined ? {} : { server }),
    ...(fields.length > 0 ? { fields } : {}),
    ...(name === undefined ? {} : { name }),
    ...(wait === undefined ? {} : { retryAfter: wait }),
    retryable: isRetryable(code, detail)
  })
}

const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_MISMATCH/

/** The error of a request whose connection could not be opened, or broke. */
export const broken = (asked: Asked, server: string, cause: Error): KubeError => {
  const { code = "" } = cause as NodeJS.ErrnoException
  const distrust = untrusted.test(code)
  return new KubeError({
    ...noAnswer(
      asked,
      distrust ? "Untrusted" : "Unreachable",
      `${server}: ${wordsOf(cause) || code || "the connection broke"}`,
      !distrust
    ),
    server,
    ...(code === "" ? {} : { code })
  })
}

/** The message of an error. Node tries every address of a host, and reports all their errors in one without a message. */
const wordsOf = (cause: Error): string =>
  cause instanceof AggregateError && cause.message === ""
    ? [...new Set(cause.errors.map((each) => (each as Error).message))].join(", ")
    : cause.message

/** The error of a request that got no usable answer. */
export const noAnswer = (
  asked: Asked,
  reason: string,
  detail: string,
  retryable: boolean,
  server?: string
): KubeError =>
  new KubeError({
    verb: asked.verb,
    resource: asked.resource,
    reason,
    detail,
    ...(server === undefined ? {} : { server }),
    retryable
  })
