/** The address of an API server, and the credentials that each request to it carries. */
import type { Agent } from "node:http"
import type { ConnectionOptions } from "node:tls"
import type * as Effect from "effect/Effect"
import type { KubeConfig } from "./ClientLibrary.ts"
import type { KubeUnconfigured } from "./KubeError.ts"

/** The headers and TLS options of one request. */
export interface Credentials {
  /** The number of this reading: `refresh` takes the generation that the API server refused. */
  readonly generation: number
  readonly headers: Readonly<Record<string, string>>
  readonly tls: Pick<
    ConnectionOptions,
    "ca" | "cert" | "key" | "pfx" | "passphrase" | "servername" | "rejectUnauthorized"
  >
  /** Opens connections through a proxy, if the API server is behind one. */
  readonly agent?: Agent
}

/**
 * A pod, by the claims of its own service account token.
 *
 * @since 0.1.0
 * @category models
 */
export interface Self {
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** An API server, and how this process authenticates there. */
export interface KubeConnection {
  /** Scheme, host, port and, if there is one, a path. No slash at the end. */
  readonly server: string
  readonly namespace: string
  /** The user, as far as the token or the kubeconfig tells: a kubeconfig has a name of its own for the user. */
  readonly user: string | undefined
  /** The pod of this process, if its token is bound to one. */
  readonly self: Self | undefined
  readonly credentials: Effect.Effect<Credentials, KubeUnconfigured>
  /** Makes the next `credentials` read their source again, because the API server refused that generation. */
  readonly refresh: (generation: number) => Effect.Effect<void>
  /** The same connection for the client library, which this loads. */
  readonly library: Effect.Effect<KubeConfig, KubeUnconfigured>
}
