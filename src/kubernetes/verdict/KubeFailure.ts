/** What it means for a boot that the API server refused the runner's pod, and whether to ask again. */
import {
  AdmissionDenied,
  ApiUnavailable,
  type BootFailure,
  Forbidden,
  InvalidSpec,
  LaunchFailed,
  QuotaExceeded
} from "../../error/BootFailure.ts"
import type { KubeError } from "../api/KubeError.ts"
import { containerName } from "../template/PodTemplate.ts"

/** What to do within the boot. */
export type Failure =
  | { readonly next: "fail"; readonly cause: BootFailure }
  /** The same again after some milliseconds, on which the caller puts jitter. */
  | { readonly next: "again"; readonly cause: BootFailure; readonly after: number }
  | { readonly next: "when there is room"; readonly cause: BootFailure }
  /** The same again with a CPU limit, which nobody wants but this namespace. */
  | { readonly next: "with a CPU limit"; readonly cause: BootFailure }

/** What was tried so far: milliseconds since the first refusal, and whether there was a CPU limit. */
export interface Tried {
  readonly elapsed?: number
  readonly cpuLimit?: boolean
}

interface Rule {
  readonly when: (error: KubeError, tried: Tried) => boolean
  readonly react: (error: KubeError, tried: Tried) => Failure
}

const fail =
  (cause: (error: KubeError) => BootFailure): Rule["react"] =>
  (error) => ({ next: "fail", cause: cause(error) })

/** Again within a time, and then fails. */
const again =
  (cause: (error: KubeError) => BootFailure, after: number, within: number = Infinity): Rule["react"] =>
  (error, { elapsed = 0 }) =>
    elapsed < within
      ? { next: "again", cause: cause(error), after: error.retryAfter ?? after }
      : { next: "fail", cause: cause(error) }

const says =
  (status: number, words: RegExp): Rule["when"] =>
  (error) =>
    error.status === status && words.test(error.detail)

const denied =
  (by: string) =>
  ({ detail }: KubeError): BootFailure =>
    new AdmissionDenied({ by, detail })

/** The part of a refusal that names who refused. */
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

/** Only a CPU limit of ours is missing: then it may be given. */
const wantsCpuLimit = new RegExp(
  `must specify limits\\.cpu for: ${containerName}(; requests\\.cpu for: ${containerName})?$|(cpu.*no limit is specified)`,
  "i"
)

/** The first that fits stands. Messages are what the API server's plugins have said for years; codes alone tell little. */
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
  // a namespace's service account comes a second after it
  { when: says(403, /error looking up service account/), react: again(missing, 1_000, 5_000) },
  { when: says(403, /no PriorityClass with name|RuntimeClass "[^"]*" not found/), react: fail(missing) },
  {
    when: says(403, /because it is being terminated/),
    react: fail(({ detail }) => new InvalidSpec({ detail: `the namespace is going away: ${detail}` }))
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
  // that a request is not allowed is said of its user; what is said of the object comes from admission
  { when: says(403, /User "[^"]*" cannot /), react: fail(rights(({ detail }) => detail)) },
  { when: ({ status }) => status === 403, react: fail(denied("admission")) },
  {
    when: ({ status }) => status === 401,
    react: again(
      rights(() => "its token is not accepted"),
      1_000,
      60_000
    )
  },
  { when: says(409, /Operation cannot be fulfilled on resourcequotas/), react: again(unavailable, 300) },
  {
    when: ({ reason }) => reason === "AlreadyExists",
    // the next boot has another name
    react: fail(({ detail }) => new LaunchFailed({ detail: `${detail}, and it is another runner's` }))
  },
  {
    when: ({ status }) => status === 400 || status === 422 || status === 413,
    react: fail(invalid("correct the options of the layer that say so"))
  },
  { when: ({ retryable }) => retryable, react: again(unavailable, 1_000) }
]

/** What to do about the refusal of a create. */
export const of = (error: KubeError, tried: Tried = {}): Failure =>
  rules.find(({ when }) => when(error, tried))?.react(error, tried) ?? {
    next: "fail",
    cause: new InvalidSpec({ detail: error.message })
  }

/** What an error of the API server means as the cause of a failed boot. */
export const causeOf = (error: KubeError): BootFailure => of(error).cause
