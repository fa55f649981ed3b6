/** Errors of an API server, as `KubeMock.fail` takes them. */
import { noAnswer, refused } from "../kubernetes/api/KubeAnswer.ts"
import type { KubeError } from "../kubernetes/api/KubeError.ts"

const asked = (call: string) => {
  const [verb = "", resource = ""] = call.split(" ")
  return { verb, resource }
}

interface Answer {
  readonly code: number
  readonly reason: string
  readonly message: string
  readonly name?: string
  /** Seconds. */
  readonly retryAfter?: string
}

const answered = (call: string, { code, message, name, reason, retryAfter }: Answer): KubeError =>
  refused(
    asked(call),
    {
      status: code,
      retryAfter,
      body: JSON.stringify({ code, reason, message, ...(name === undefined ? {} : { details: { name } }) })
    },
    0
  )

/**
 * 429: too many requests. `call` is a verb and a resource, such as `"create pods"`; the server asks to wait for `seconds`,
 * default 1.
 *
 * @category errors
 * @since 0.1.0
 */
export const tooManyRequests = (call: string, seconds = 1): KubeError =>
  answered(call, {
    code: 429,
    reason: "TooManyRequests",
    message: "the server has received too many requests",
    retryAfter: `${seconds}`
  })

/**
 * 403: the pod would exceed a quota of the namespace.
 *
 * @category errors
 * @since 0.1.0
 */
export const quotaExceeded = (call = "create pods"): KubeError =>
  answered(call, {
    code: 403,
    reason: "Forbidden",
    message: 'pods "runner" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=10, limited: pods=10'
  })

/**
 * 403: the service account lacks the right to this call.
 *
 * @category errors
 * @since 0.1.0
 */
export const forbidden = (call: string): KubeError => {
  const { resource, verb } = asked(call)
  const who = 'User "system:serviceaccount:default:parent"'
  const message = `${resource} is forbidden: ${who} cannot ${verb} resource "${resource}" in API group "" in the namespace "default"`
  return answered(call, { code: 403, reason: "Forbidden", message })
}

/**
 * 403: Pod Security does not admit the pod. `level` is that of the namespace, default `restricted`.
 *
 * @category errors
 * @since 0.1.0
 */
export const podSecurity = (level = "restricted"): KubeError =>
  answered("create pods", {
    code: 403,
    reason: "Forbidden",
    message: `pods "runner" is forbidden: violates PodSecurity "${level}:latest": runAsNonRoot != true`
  })

/**
 * 404: there is no object of that name.
 *
 * @category errors
 * @since 0.1.0
 */
export const notFound = (call: string, name: string): KubeError =>
  answered(call, { code: 404, reason: "NotFound", name, message: `${asked(call).resource} "${name}" not found` })

/**
 * 409: an object of that name exists.
 *
 * @category errors
 * @since 0.1.0
 */
export const alreadyExists = (call: string, name: string): KubeError =>
  answered(call, {
    code: 409,
    reason: "AlreadyExists",
    name,
    message: `${asked(call).resource} "${name}" already exists`
  })

/**
 * 503: the API server is not ready.
 *
 * @category errors
 * @since 0.1.0
 */
export const unavailable = (call: string): KubeError =>
  answered(call, {
    code: 503,
    reason: "ServiceUnavailable",
    message: "the server is currently unable to handle the request"
  })

/**
 * No answer: the connection was refused or broke.
 *
 * @category errors
 * @since 0.1.0
 */
export const unreachable = (call: string): KubeError =>
  noAnswer(asked(call), "Unreachable", "https://mock: connect ECONNREFUSED", true)
