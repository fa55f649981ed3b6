/** The cluster of a kubeconfig, or of the service account of this pod. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import manifest from "../../../package.json" with { type: "json" }
import { callerOf } from "../../kubernetes/api/KubeCaller.ts"
import type { KubeConnection } from "../../kubernetes/api/KubeConnection.ts"
import * as KubeClientLive from "../../kubernetes/api/KubeClientLive.ts"
import * as KubeDiscovery from "../../kubernetes/api/KubeDiscovery.ts"
import type { KubeUnconfigured } from "../../kubernetes/api/KubeError.ts"
import * as KubeHttp from "../../kubernetes/api/KubeHttp.ts"
import { Cluster, type KubeObject, noVersion } from "./Cluster.ts"
import * as LogLines from "./LogLines.ts"
import { pathOf, pods, type Resource } from "./Resources.ts"

/** A person waits for the answer, so a failed request is not retried for half a minute. */
const bounds = { requestTimeout: "10 seconds", retryFor: "6 seconds" } as const

const userAgent = `effect-flame-cli/${manifest.version} (${process.platform}; node ${process.versions.node})`

/** Requests the metadata of each object and nothing else. */
const metadataOnly = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

const accepting = (connection: KubeConnection, accept: string): KubeConnection => ({
  ...connection,
  credentials: Effect.map(connection.credentials, (credentials) => ({
    ...credentials,
    headers: { ...credentials.headers, accept }
  }))
})

interface Listed<A> {
  /** Null in an empty list of metadata. */
  readonly items: ReadonlyArray<A> | null
}

/** The end of a token in milliseconds since 1970. A token need not be a JWT, and need not end. */
export const endOf = (authorization: string | undefined): number | undefined => {
  try {
    const claims = Buffer.from(authorization?.split(".")[1] ?? "", "base64url").toString()
    const { exp } = JSON.parse(claims) as { readonly exp?: unknown }
    return typeof exp === "number" ? exp * 1_000 : undefined
  } catch {
    return undefined
  }
}

/** Finds the API server. Fails with `KubeUnconfigured` if there is neither a kubeconfig nor a service account. */
export const make = Effect.fnUntraced(function* (options: KubeDiscovery.DiscoveryOptions) {
  const client = yield* KubeClientLive.make({ ...options, ...bounds })
  const connection = yield* KubeDiscovery.make(options)
  const { namespace } = client
  const http = yield* KubeHttp.make(connection, { userAgent })
  const { call } = callerOf(http, bounds)
  const bare = callerOf(yield* KubeHttp.make(accepting(connection, metadataOnly), { userAgent }), bounds)

  return Cluster.of({
    client,
    version: Effect.map(
      call<{ readonly gitVersion?: string }>({ verb: "get", resource: "version", method: "GET", path: "/version" }),
      ({ gitVersion = noVersion }) => gitVersion.replace(/^v/, "")
    ),
    tokenEnd: Effect.match(connection.credentials, {
      onFailure: () => undefined,
      onSuccess: ({ headers }) => endOf(headers["authorization"])
    }),
    get: <A extends KubeObject>(resource: Resource, name: string) =>
      Effect.catchIf(
        call<A | undefined>({
          verb: "get",
          resource: resource.name,
          method: "GET",
          path: pathOf(resource, namespace, name)
        }),
        ({ status }) => status === 404,
        () => Effect.succeed(undefined)
      ),
    list: <A extends KubeObject>(resource: Resource, selector = "") =>
      Effect.map(
        call<Listed<A>>({
          verb: "list",
          resource: resource.name,
          method: "GET",
          path: `${pathOf(resource, namespace)}?${new URLSearchParams({ labelSelector: selector }).toString()}`
        }),
        ({ items }) => items ?? []
      ),
    listMetadata: (resource, selector) =>
      Effect.map(
        bare.call<Listed<KubeObject>>({
          verb: "list",
          resource: resource.name,
          method: "GET",
          path: `${pathOf(resource, namespace)}?${new URLSearchParams({ labelSelector: selector }).toString()}`
        }),
        ({ items }) => items ?? []
      ),
    create: <A>(resource: Resource, body: object) =>
      call<A>({
        verb: "create",
        resource: resource.name,
        method: "POST",
        path: pathOf(resource, namespace),
        body
      }),
    logs: (pod, { container, follow, sinceSeconds, tail }) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const query = new URLSearchParams({
            container,
            timestamps: "true",
            ...(follow ? { follow: "true" } : {}),
            ...(sinceSeconds === undefined ? {} : { sinceSeconds: `${sinceSeconds}` }),
            ...(tail === undefined ? {} : { tailLines: `${tail}` })
          })
          const path = `${pathOf(pods, namespace, pod)}/log?${query.toString()}`
          const asked = { verb: "get", resource: "pods/log", method: "GET", path } as const
          const body = yield* http.open(asked, 10_000)
          return LogLines.linesOf(asked, body, client.server)
        })
      )
  })
})

/** The cluster that the options select. */
export const layer = (options: KubeDiscovery.DiscoveryOptions): Layer.Layer<Cluster, KubeUnconfigured> =>
  Layer.effect(Cluster, make(options))
