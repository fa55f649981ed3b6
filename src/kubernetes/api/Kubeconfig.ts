/**
 * The way to the API server that a kubeconfig describes, read by the client library: client certificates, tokens, exec
 * plugins, proxies. The library is loaded when one is read, not before: it costs half a second and 85 MiB.
 */
import type { KubeConfig } from "@kubernetes/client-node"
import { readFileSync } from "node:fs"
import type { Agent } from "node:http"
import type { RequestOptions } from "node:https"
import { dirname, resolve } from "node:path"
import * as Effect from "effect/Effect"
import type { Credentials, KubeConnection } from "./KubeConnection.ts"
import { KubeUnconfigured } from "./KubeError.ts"

const unconfigured = (what: string) => (cause: unknown) =>
  new KubeUnconfigured({ detail: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` })

const library = Effect.tryPromise({
  try: () => import("@kubernetes/client-node"),
  catch: unconfigured("the package @kubernetes/client-node cannot be loaded")
})

/** What a bearer token alone gives, as the library wants it. */
export const fromCredentials = (
  server: string,
  { headers, tls }: Credentials
): Effect.Effect<KubeConfig, KubeUnconfigured> =>
  Effect.map(library, ({ KubeConfig }) => {
    const config = new KubeConfig()
    config.loadFromClusterAndUser(
      { name: "cluster", server, caData: Buffer.from(tls.ca as string).toString("base64"), skipTLSVerify: false },
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

/** Reads the files as kubectl does: of things with the same name the first one counts. */
const load = (paths: ReadonlyArray<string>, context: string | undefined): Effect.Effect<KubeConfig, KubeUnconfigured> =>
  Effect.flatMap(library, ({ KubeConfig, loadYaml }) =>
    Effect.try({
      try: () => {
        const [first, ...others] = paths.map((path) => {
          const config = new KubeConfig()
          config.loadFromFile(path)
          // the library knows `token-file` only, which is not its name
          for (const { name, user } of loadYaml<TokenFiles>(readFileSync(path, "utf8")).users ?? []) {
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
        return merged
      },
      catch: unconfigured(`the kubeconfig ${paths.join(" and ")} cannot be read`)
    })
  )

const credentialsOf = async (config: KubeConfig, generation: number): Promise<Credentials> => {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const headers: Record<string, string> = {}
  // what the library sets are strings, by names in any case; a token from a file with its newline
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

/** The library opens a connection per request; an agent that it made keeps them all the same when it is told to. */
const reused = (agent: Agent): Agent => Object.assign(agent, { keepAlive: true, maxSockets: 8 })

/** The connection that a context of these files describes. */
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
  // one at a time for all who ask: an exec plugin is a process, which may ask a person for a password
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
    // all of it is read again, since the library has no way to forget what an exec plugin said
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
