/** Pure: the connection to the API server, the user there, and the clock. */
import { KubeError, type KubeUnconfigured } from "../../kubernetes/api/KubeError.ts"
import * as KubeFailure from "../../kubernetes/verdict/KubeFailure.ts"
import { spoken } from "../../time/Spoken.ts"
import { type Check, fail, ok, unknown, warn } from "./Check.ts"

/** No configuration leads to a cluster. */
export const unconfigured = ({ detail }: KubeUnconfigured): Check => {
  const install = /run `([^`]+)`/.exec(detail)?.[1]
  const [, contexts] = /\(it has (?!none\))([^)]+)\)$/.exec(detail) ?? []
  return fail("kubeconfig", `no way to a cluster: ${detail}`, {
    fix:
      install ??
      (contexts === undefined ? undefined : `choose a context by --context: ${contexts}`) ??
      "name a kubeconfig by --kubeconfig or KUBECONFIG, choose a context by --context, or run doctor in a pod with a service account"
  })
}

/** An API server that has answered. */
export interface Reached {
  readonly server: string
  readonly version: string
  /** Milliseconds of one request on an open connection. */
  readonly latency: number
  readonly proxy: string | undefined
}

export const reached = ({ latency, proxy, server, version }: Reached): Check => {
  const way = proxy === undefined ? "" : ` through the proxy ${proxy}`
  const line = `API server ${server}${way}: Kubernetes ${version}, answers in ${spoken(latency)}`
  return latency > 1_000
    ? warn("server", `${line}, so that each boot takes seconds`, { fix: "look for a nearer way to the API server" })
    : ok("server", line)
}

/** The check of a server that does not answer, or whose answer is not that of an API server. */
export const unreached = (error: KubeError): Check => {
  if (error.server?.startsWith("http:") === true && /HTTP protocol is not allowed/.test(error.detail)) {
    return fail("server", `API server ${error.server} cannot be used: its address begins with http://`, {
      fix: "let the address in the kubeconfig begin with https://"
    })
  }
  // The request was already retried for some seconds.
  const cause = KubeFailure.causeOf(new KubeError({ ...error, retryable: false }))
  const [, detail = error.detail, remedy] = /^(.*); ([^;]+)$/s.exec("detail" in cause ? cause.detail : "") ?? []
  return fail("server", `API server ${error.server ?? ""} cannot be used: ${detail.replaceAll(/\s+/g, " ")}`, {
    fix: remedy ?? "check the address in the kubeconfig, and the network"
  })
}

/** A server that answers, and is no API server. */
export const noServer = (server: string): Check =>
  fail("server", `${server} answers without a version of Kubernetes: it is no API server`, {
    fix: "correct the address in the kubeconfig"
  })

/** The user of this program. */
export interface Who {
  /** The name that the API server knows; the one of the kubeconfig or the token if there is an obstacle. */
  readonly name: string
  /** Why the API server did not tell the name. */
  readonly obstacle: string | undefined
}

const logIn = "log in to the cluster again, or put a new token into the kubeconfig: kubectl create token ACCOUNT"

/** The user as the API server sees it, and the parent's account. */
export const user = ({ name, obstacle }: Who, namespace: string, account: string | undefined): Check => {
  const parent = account === undefined || account === name ? "" : `; the parent is ${account}`
  const line = `user ${name}, namespace ${namespace}${parent}`
  if (obstacle === undefined) return ok("user", line)
  if (obstacle.includes('User "system:anonymous"')) {
    const line = `user ${name} of the kubeconfig has no credentials: the API server calls it system:anonymous`
    return fail("user", line, { fix: logIn })
  }
  const why = `${line} (by the kubeconfig: the API server does not tell the user: ${obstacle.replaceAll(/\s+/g, " ")})`
  return unknown("user", why, { fix: "run doctor as a user who may create selfsubjectreviews" })
}

/** Credentials that the API server does not accept. `expiredAt`: when their token expired, if it has. */
export const refused = (error: KubeError, expiredAt: number | undefined): Check =>
  fail(
    "user",
    expiredAt === undefined
      ? `the credentials are not accepted (${error.status ?? ""} ${error.reason})`
      : `the token expired at ${new Date(expiredAt).toISOString()} (${error.status ?? ""} ${error.reason})`,
    { fix: logIn }
  )

/** Milliseconds of difference from which log times mislead, and from which certificates and tokens may be refused. */
const visible = 5_000
const harmful = 60_000

/** The clock of a machine against the clock of the API server. Both in milliseconds; the server's is exact to a second. */
export const clock = (own: number, server: number | undefined, whose = "this machine"): Check => {
  if (server === undefined) return ok("clock", "the API server sends no time to compare with")
  const difference = own - server
  const size = Math.max(0, Math.abs(difference) - 1_000)
  if (size < visible) return ok("clock", `the clock of ${whose} agrees with the API server's`)
  const line = `the clock of ${whose} is ${spoken(Math.abs(difference))} ${difference > 0 ? "ahead of" : "behind"} the API server's`
  const fix = { fix: "set the clock by the network: timedatectl set-ntp true" }
  return size < harmful
    ? warn("clock", `${line}: times in logs of runners and parent disagree`, fix)
    : fail("clock", `${line}: tokens and certificates may be refused`, fix)
}
