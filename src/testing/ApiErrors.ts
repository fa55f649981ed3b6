/** What an API server refuses with, as `KubeMock.fail` takes it. */
import { noAnswer, refused } from "../kubernetes/api/KubeAnswer.ts"
import type { KubeError } from "../kubernetes/api/KubeError.ts"

const asked = (call: string) => {
  const [verb = "", resource = ""] = call.split(" ")
  return { verb, resource }
}

const status = (call: string, code: number, reason: string, message: string, retryAfter?: string): KubeError =>
  refused(asked(call), { status: code, retryAfter, body: JSON.stringify({ code, reason, message }) }, 0)

/** 429: too many requests; the server asks to wait so many seconds. */
export const tooManyRequests = (call: string, seconds = 1): KubeError =>
  status(call, 429, "TooManyRequests", "the server has received too many requests", `${seconds}`)

/** 403: the pod would exceed a quota of the namespace. */
export const quotaExceeded = (call = "create pods"): KubeError =>
  status(
    call,
    403,
    "Forbidden",
    'pods "runner" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=10, limited: pods=10'
  )

/** 403: the service account may not do that. */
export const forbidden = (call: string): KubeError => {
  const { resource, verb } = asked(call)
  const who = 'User "system:serviceaccount:default:parent"'
  const message = `${resource} is forbidden: ${who} cannot ${verb} resource "${resource}" in API group "" in the namespace "default"`
  return status(call, 403, "Forbidden", message)
}

/** 403: Pod Security does not admit the pod. */
export const podSecurity = (level = "restricted"): KubeError =>
  status(
    "create pods",
    403,
    "Forbidden",
    `pods "runner" is forbidden: violates PodSecurity "${level}:latest": runAsNonRoot != true`
  )

/** 503: the server is not ready. */
export const unavailable = (call: string): KubeError =>
  status(call, 503, "ServiceUnavailable", "the server is currently unable to handle the request")

/** No answer: the connection was refused or broke. */
export const unreachable = (call: string): KubeError =>
  noAnswer(asked(call), "Unreachable", "https://mock: connect ECONNREFUSED", true)
