/** Where the API server is, and what a request to it carries. */
import type { KubeConfig } from "@kubernetes/client-node"
import type { Agent } from "node:http"
import type { ConnectionOptions } from "node:tls"
import type * as Effect from "effect/Effect"
import type { KubeUnconfigured } from "./KubeError.ts"

/** What one request carries. */
export interface Credentials {
  /** Which reading of them this is. */
  readonly generation: number
  readonly headers: Readonly<Record<string, string>>
  readonly tls: Pick<
    ConnectionOptions,
    "ca" | "cert" | "key" | "pfx" | "passphrase" | "servername" | "rejectUnauthorized"
  >
  /** The way through a proxy, where the kubeconfig names one. */
  readonly agent?: Agent
}

/** A pod by what its own token says of it. */
export interface Self {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** A way to one API server. */
export interface KubeConnection {
  /** Scheme, host and port, and a path where there is one; no slash at the end. */
  readonly server: string
  readonly namespace: string
  readonly user: string | undefined
  /** The pod that this process is in, where its token is bound to one. */
  readonly self: Self | undefined
  readonly credentials: Effect.Effect<Credentials, KubeUnconfigured>
  /** Has the next credentials read again from where they come from, as those of that generation were refused. */
  readonly refresh: (generation: number) => Effect.Effect<void>
  /** The same, as the client library wants it, which this loads. */
  readonly library: Effect.Effect<KubeConfig, KubeUnconfigured>
}
