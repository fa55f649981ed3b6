/**
 * The connection of a pod to its API server: by the files of the service account.
 *
 * No client library is loaded: it would cost the parent half a second and 85 MiB.
 */
import { readFileSync, statSync } from "node:fs"
import { isIPv6 } from "node:net"
import { join } from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Credentials, KubeConnection, Self } from "./KubeConnection.ts"
import { KubeUnconfigured } from "./KubeError.ts"
import * as Kubeconfig from "./Kubeconfig.ts"
import * as KubeProxy from "./KubeProxy.ts"

const standard = "/var/run/secrets/kubernetes.io/serviceaccount"

/** Milliseconds between readings of the token. The kubelet replaces a token long before it expires; client-go reads as often. */
const rereadEvery = 60_000

/** The service account of this process, or a description of what is missing. */
export type Account =
  | { readonly found: true; readonly server: string; readonly directory: string; readonly missing: undefined }
  | { readonly found: false; readonly missing: string }

/** Looks for the service account of this pod. */
export const find = (directory: string = standard): Account => {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = process.env
  if (host === undefined || host === "") {
    return { found: false, missing: "KUBERNETES_SERVICE_HOST is not set, so this process is not in a pod" }
  }
  for (const file of ["token", "ca.crt"]) {
    if (statSync(join(directory, file), { throwIfNoEntry: false }) === undefined) {
      const hint = "is automountServiceAccountToken false, or set for the service account?"
      return { found: false, missing: `this pod has no ${join(directory, file)} (${hint})` }
    }
  }
  return { found: true, server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`, directory, missing: undefined }
}

interface Claims {
  readonly sub?: string
  readonly "kubernetes.io"?: {
    readonly namespace?: string
    readonly pod?: { readonly name: string; readonly uid: string }
  }
}

/** The claims in a token. The signature is not verified: the token is this process's own. */
const claimsOf = (token: string): Claims => {
  try {
    return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Claims
  } catch {
    // A token need not be a JWT.
    return {}
  }
}

const selfOf = (claims: Claims): Self | undefined => {
  const { namespace, pod } = claims["kubernetes.io"] ?? {}
  return namespace === undefined || pod === undefined ? undefined : { namespace, name: pod.name, uid: pod.uid }
}

class Files {
  private token: { readonly text: string; readonly readAt: number } | undefined
  private ca: { readonly text: string; readonly changedAt: number } | undefined
  private generation = 0
  private readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  read(now: number): Credentials {
    if (this.token === undefined || now - this.token.readAt >= rereadEvery) {
      const text = this.text("token")
      if (text === "") throw new Error(`${join(this.directory, "token")} is empty`)
      const changedAt = statSync(join(this.directory, "ca.crt")).mtimeMs
      if (this.ca?.changedAt !== changedAt) this.ca = { text: this.text("ca.crt"), changedAt }
      this.token = { text, readAt: now }
      this.generation++
    }
    return {
      generation: this.generation,
      headers: { authorization: `Bearer ${this.token.text}` },
      tls: { ca: this.ca!.text }
    }
  }

  forget(generation: number): void {
    if (generation === this.generation) this.token = undefined
  }

  text(file: string): string {
    return readFileSync(join(this.directory, file), "utf8").trim()
  }

  namespace(): string | undefined {
    try {
      return this.text("namespace")
    } catch {
      return undefined
    }
  }
}

/** The connection of a service account. Fails if a file of it cannot be read. */
export const make = (
  account: Extract<Account, { found: true }>,
  namespace: string | undefined
): Effect.Effect<KubeConnection, KubeUnconfigured> => {
  const files = new Files(account.directory)
  // Synchronous, because the files are small and in memory, and not worth a thread of the pool.
  const credentials = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.try({
      try: () => files.read(now),
      catch: (cause) => new KubeUnconfigured({ detail: `the service account cannot be read: ${String(cause)}` })
    })
  )
  const proxy = KubeProxy.proxyFor(account.server)
  if (proxy !== undefined && !KubeProxy.isSupported(proxy)) {
    const detail = `the proxy ${proxy} for ${account.server} is not an HTTP proxy: give one in HTTPS_PROXY, or the host in NO_PROXY`
    return Effect.fail(new KubeUnconfigured({ detail }))
  }
  const agent = proxy === undefined ? undefined : KubeProxy.tunnel(proxy)
  return Effect.map(credentials, ({ headers }): KubeConnection => {
    const claims = claimsOf(headers.authorization ?? "")
    const self = selfOf(claims)
    return {
      server: account.server,
      namespace: namespace ?? files.namespace() ?? self?.namespace ?? "default",
      user: claims.sub,
      self,
      credentials: agent === undefined ? credentials : Effect.map(credentials, (now) => ({ ...now, agent })),
      refresh: (generation) => Effect.sync(() => files.forget(generation)),
      library: Effect.flatMap(credentials, (now) => Kubeconfig.fromCredentials(account.server, now))
    }
  })
}
