/** Decides what an error of the API server means for a boot, and whether the boot repeats the request. Pure. */
import {
  AdmissionDenied,
  ApiUnavailable,
  ApiUnreachable,
  type BootFailure,
  Forbidden,
  InvalidSpec,
  LaunchFailed,
  QuotaExceeded
} from "../../error/BootFailure.ts"
import type { KubeError } from "../api/KubeError.ts"
import { containerName } from "../template/PodTemplate.ts"

/** The next step of the boot. */
export type Failure =
  | { readonly next: "fail"; readonly cause: BootFailure }
  /** Repeats the request after that many milliseconds; the caller adds jitter. */
  | { readonly next: "again"; readonly cause: BootFailure; readonly after: number }
  | { readonly next: "when there is room"; readonly cause: BootFailure }
  /** Repeats the request with a CPU limit, which the namespace demands. */
  | { readonly next: "with a CPU limit"; readonly cause: BootFailure }

/** The tries of a boot so far. */
export interface Tried {
  /** Milliseconds since the first refusal of this kind. Default 0. */
  readonly elapsed?: number
  /** Whether the pod had a CPU limit. Default false. */
  readonly cpuLimit?: boolean
}

interface Rule {
  readonly when: (error: KubeError, tried: Tried) => boolean
  readonly react: (error: KubeError, tried: Tried) => Failure
}

const fail =
  (cause: (error: KubeError) => BootFailure): Rule["react"] =>
  (error) => ({ next: "fail", cause: cause(error) })

/** Milliseconds until a request is repeated, at most: the page of a gateway under maintenance may ask for an hour. */
const longest = 30_000

/** Repeats the request for `within` milliseconds, then fails. */
const again =
  (cause: (error: KubeError) => BootFailure, after: number, within: number = Infinity): Rule["react"] =>
  (error, { elapsed = 0 }) =>
    elapsed < within
      ? { next: "again", cause: cause(error), after: Math.min(longest, error.retryAfter ?? after) }
      : { next: "fail", cause: cause(error) }

const says =
  (status: number, words: RegExp): Rule["when"] =>
  (error) =>
    error.status === status && words.test(error.detail)

const denied =
  (by: string) =>
  ({ detail }: KubeError): BootFailure =>
    new AdmissionDenied({ by, detail })

/** `AdmissionDenied` by the name that the pattern finds in the error. */
const named =
  (pattern: RegExp, kind: string) =>
  (error: KubeError): BootFailure =>
    denied(`${kind} ${pattern.exec(error.detail)?.[1] ?? ""}`.trim())(error)

const unavailable = (error: KubeError): BootFailure => new ApiUnavailable({ detail: error.message })

const rights =
  (detail: (error: KubeError) => string) =>
  (error: KubeError): BootFailure =>
    new Forbidden({ verb: error.verb, resource: error.resource, detail: detail(error) })

const invalid =
  (todo: string) =>
  ({ detail, fields }: KubeError): BootFailure =>
    new InvalidSpec({
      detail: `the API server refused its pod: ${detail}${
        fields === undefined || fields.length === 0 ? "" : ` (${fields.join(", ")})`
      }; ${todo}`
    })

const missing = invalid("create what it names, or name another one")

/** The API server cannot be used at all: by its code, or else by the reason of the error. */
const unreachable = (error: KubeError): BootFailure => {
  const server = error.server ?? "an unknown address"
  const reason = error.code ?? error.reason
  const own = `${server}: `
  const detail = error.detail.startsWith(own) ? error.detail.slice(own.length) : error.detail
  return new ApiUnreachable({ server, reason, detail: `${detail}; ${remedyOf(error)}` })
}

const remedyOf = ({ code, reason, status }: KubeError): string => {
  if (status === 401) return "the credentials of this process are not accepted: log in again, or replace the token"
  if (reason === "NoCredentials") return "correct the credentials in the kubeconfig or the service account"
  if (reason === "Untrusted") return "correct the certificate authority in the kubeconfig, or the name of the server"
  if (code === "ECONNREFUSED") return "start the cluster, or correct its address"
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "correct the host name of the API server, or the DNS"
  return "correct its address, or open the way there (VPN, firewall, HTTPS_PROXY and NO_PROXY)"
}

/** The quota misses a CPU limit of the runner and nothing else, so that a limit may be added. */
const wantsCpuLimit = new RegExp(
  `must specify limits\\.cpu for: ${containerName}(; requests\\.cpu for: ${containerName})?$|(cpu.*no limit is specified)`,
  "i"
)

/**
 * The first rule that fits decides.
 *
 * The rules go by the messages of the API server's plugins, which have been stable for years: status codes alone tell little.
 */
const rules: ReadonlyArray<Rule> = [
  {
    when: says(403, /exceeded quota:/),
    react: (error) => ({ next: "when there is room", cause: new QuotaExceeded({ detail: error.detail }) })
  },
  {
    when: (error, { cpuLimit = false }) => !cpuLimit && error.status === 403 && wantsCpuLimit.test(error.detail),
    react: (error) => ({ next: "with a CPU limit", cause: invalid("set `resources`")(error) })
  },
  { when: says(403, /failed quota:/), react: fail(invalid("set `resources`")) },
  { when: says(403, /violates PodSecurity/), react: fail(denied("PodSecurity")) },
  {
    when: says(403, /User "system:anonymous"/),
    react: fail(
      rights(
        ({ detail }) =>
          `${detail}: no token was sent, mount one (\`automountServiceAccountToken\`) or give a kubeconfig`
      )
    )
  },
  // The service account of a new namespace is created a second after the namespace.
  { when: says(403, /error looking up service account/), react: again(missing, 1_000, 5_000) },
  { when: says(403, /no PriorityClass with name|RuntimeClass "[^"]*" not found/), react: fail(missing) },
  {
    when: says(403, /because it is being terminated/),
    react: fail(({ detail }) => new InvalidSpec({ detail: `the namespace is being deleted: ${detail}` }))
  },
  {
    when: says(404, /^namespaces /),
    react: fail(({ detail }) => new InvalidSpec({ detail: `${detail}: create that namespace` }))
  },
  {
    when: ({ detail }) => detail.includes("ValidatingAdmissionPolicy"),
    react: fail(named(/ValidatingAdmissionPolicy '([^']*)'/, "ValidatingAdmissionPolicy"))
  },
  {
    when: ({ detail }) => /admission webhook "[^"]*" denied/.test(detail),
    react: fail(named(/admission webhook "([^"]*)"/, "webhook"))
  },
  { when: says(403, /(maximum|minimum) .* usage per|ratio per/), react: fail(denied("LimitRange")) },
  // RBAC names the user in its refusal; admission speaks of the object. An API server that has just started refuses everybody
  // until it has read the roles.
  {
    when: says(403, /User "[^"]*" cannot /),
    react: again(
      rights(({ detail }) => detail),
      500,
      3_000
    )
  },
  { when: ({ status }) => status === 403, react: fail(denied("admission")) },
  // A token may be replaced while its parent runs.
  { when: ({ status }) => status === 401, react: again(unreachable, 1_000, 60_000) },
  { when: says(409, /Operation cannot be fulfilled on resourcequotas/), react: again(unavailable, 300) },
  {
    when: ({ reason }) => reason === "AlreadyExists",
    // The next boot has another name.
    react: fail(({ detail }) => new LaunchFailed({ detail: `${detail}, and that pod belongs to another runner` }))
  },
  {
    when: ({ status }) => status === 400 || status === 422 || status === 413,
    react: fail(invalid("correct the options of the layer that set these fields"))
  },
  { when: ({ retryable }) => retryable, react: again(unavailable, 1_000) },
  // No answer, and waiting does not help.
  { when: ({ status }) => status === undefined, react: fail(unreachable) }
]

/** The reaction of a boot to an error of the API server. */
export const of = (error: KubeError, tried: Tried = {}): Failure =>
  rules.find(({ when }) => when(error, tried))?.react(error, tried) ?? {
    next: "fail",
    cause: new InvalidSpec({ detail: error.message })
  }

/** The cause of a boot that an error of the API server has made fail. */
export const causeOf = (error: KubeError): BootFailure => of(error).cause
