/** The connection that a kubeconfig describes, read by the client library: client certificates, tokens, exec plugins, proxies. */
import { readFileSync } from "node:fs"
import type { Agent } from "node:http"
import type { RequestOptions } from "node:https"
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { type KubeConfig, library } from "./ClientLibrary.ts"
import type { Credentials, KubeConnection } from "./KubeConnection.ts"
import { KubeUnconfigured } from "./KubeError.ts"
import * as KubeProxy from "./KubeProxy.ts"

const unconfigured = (what: string) => (cause: unknown) =>
  new KubeUnconfigured({ detail: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` })

/** A connection by bearer token alone, as the library's configuration. */
export const fromCredentials = (
  server: string,
  { headers, tls }: Credentials
): Effect.Effect<KubeConfig, KubeUnconfigured> =>
  Effect.map(library, ({ KubeConfig }) => {
    const config = new KubeConfig()
    const proxyUrl = KubeProxy.proxyFor(server)
    config.loadFromClusterAndUser(
      {
        name: "cluster",
        server,
        caData: Buffer.from(tls.ca as string).toString("base64"),
        skipTLSVerify: false,
        ...(proxyUrl === undefined ? {} : { proxyUrl })
      },
      { name: "user", token: (headers.authorization ?? "").replace("Bearer ", "") }
    )
    return config
  })

interface TokenFiles {
  readonly users?: ReadonlyArray<{
    readonly name: string
    readonly user?: { readonly token?: string; readonly tokenFile?: string }
  }>
}

/** Reads the files as kubectl does: of entries with the same name the first one counts. */
const load = (paths: ReadonlyArray<string>, context: string | undefined): Effect.Effect<KubeConfig, KubeUnconfigured> =>
  Effect.flatMap(library, ({ KubeConfig, loadYaml }) =>
    Effect.try({
      try: () => {
        const [first, ...others] = paths.map((path) => {
          const config = new KubeConfig()
          config.loadFromFile(path)
          // The library reads `token-file`, but a kubeconfig calls the field `tokenFile`.
          for (const { name, user } of (loadYaml(readFileSync(path, "utf8")) as TokenFiles).users ?? []) {
            if (!user?.tokenFile || user.token) continue
            const tokenFile = resolve(dirname(path), user.tokenFile)
            Object.assign(config.getUser(name)!, { authProvider: { name: "tokenFile", config: { tokenFile } } })
          }
          return config
        })
        const merged = first!
        for (const other of others) {
          for (const it of other.getClusters()) if (merged.getCluster(it.name) === null) merged.addCluster(it)
          for (const it of other.getUsers()) if (merged.getUser(it.name) === null) merged.addUser(it)
          for (const it of other.getContexts()) if (merged.getContextObject(it.name) === null) merged.addContext(it)
          if (!merged.getCurrentContext()) merged.setCurrentContext(other.getCurrentContext())
        }
        if (context !== undefined) merged.setCurrentContext(context)
        return proxied(merged)
      },
      catch: unconfigured(`the kubeconfig ${paths.join(" and ")} cannot be read`)
    })
  )

/** Adds the proxy of the environment to the current cluster, unless the kubeconfig names a proxy itself. */
const proxied = (config: KubeConfig): KubeConfig => {
  const cluster = config.getCurrentCluster()
  const proxyUrl = cluster === null || cluster.proxyUrl ? undefined : KubeProxy.proxyFor(cluster.server)
  if (cluster !== null && proxyUrl !== undefined) Object.assign(cluster, { proxyUrl })
  return config
}

const credentialsOf = async (config: KubeConfig, generation: number): Promise<Credentials> => {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const headers: Record<string, string> = {}
  // The library sets names in any case, and keeps the newline at the end of a token's file.
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value).trim()
  if (typeof options.auth === "string") {
    headers.authorization ??= `Basic ${Buffer.from(options.auth).toString("base64")}`
  }
  const { ca, cert, key, passphrase, pfx, rejectUnauthorized, servername } = options
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, passphrase, pfx, rejectUnauthorized, servername }).filter(
      ([, value]) => value !== undefined && value !== null
    )
  )
  return config.getCurrentCluster()?.proxyUrl === undefined
    ? { generation, headers, tls }
    : { generation, headers, tls, agent: reused(options.agent as Agent) }
}

/** Makes the library's agent keep its connections: by default it opens a connection for each request. */
const reused = (agent: Agent): Agent => Object.assign(agent, { keepAlive: true, maxSockets: 8 })

/** The connection that a context of these files describes. Fails if the files, the context or its cluster are missing. */
export const make: (
  paths: ReadonlyArray<string>,
  chosen: { readonly context: string | undefined; readonly namespace: string | undefined }
) => Effect.Effect<KubeConnection, KubeUnconfigured> = Effect.fnUntraced(function* (paths, { context, namespace }) {
  const from = paths.join(" and ")
  let config: KubeConfig | undefined = yield* load(paths, context)
  const current = config.getContextObject(config.getCurrentContext())
  if (current === null) {
    const there = config.getContexts().map(({ name }) => name)
    const known = there.length === 0 ? "it has none" : `it has ${there.join(", ")}`
    const wanted = config.getCurrentContext()
    const detail = wanted
      ? `the kubeconfig ${from} has no context ${wanted} (${known})`
      : `the kubeconfig ${from} has no current context (${known})`
    return yield* new KubeUnconfigured({ detail })
  }
  const cluster = config.getCurrentCluster()
  if (cluster === null) {
    return yield* new KubeUnconfigured({ detail: `the kubeconfig ${from} has no cluster ${current.cluster}` })
  }

  let generation = 0
  const loaded = Effect.suspend(() =>
    config === undefined
      ? Effect.tap(load(paths, context), (fresh) => Effect.sync(() => void (config = fresh)))
      : Effect.succeed(config)
  )
  // One reading for all concurrent requests, because an exec plugin is a process, and may ask a person for a password.
  let pending: Promise<Credentials> | undefined
  const credentials = Effect.flatMap(loaded, (config) =>
    Effect.tryPromise({
      try: () =>
        (pending ??= credentialsOf(config, generation).finally(() => {
          pending = undefined
        })),
      catch: unconfigured(`no credentials of the user ${current.user} in ${from}`)
    })
  )
  return {
    server: cluster.server.replace(/\/+$/, ""),
    namespace: namespace ?? current.namespace ?? "default",
    user: current.user,
    self: undefined,
    credentials,
    // Reads all files again, because the library cannot forget the answer of an exec plugin.
    refresh: (refused) =>
      Effect.sync(() => {
        if (refused !== generation) return
        generation++
        config = undefined
        pending = undefined
      }),
    library: loaded
  }
})
