/**
 * The package `@kubernetes/client-node`: loaded when a kubeconfig is read or a port is forwarded, and only then.
 *
 * The package is an optional peer dependency: a parent in a pod works without it. Loading it costs half a second and 85 MiB.
 * The types here are the part that this client uses, so that no declaration of ours names the package.
 */
import type { RequestOptions } from "node:https"
import * as Effect from "effect/Effect"
import { KubeUnconfigured } from "./KubeError.ts"

/** A cluster of a kubeconfig. */
export interface Cluster {
  readonly name: string
  readonly server: string
  readonly proxyUrl?: string
}

/** A named entry of a kubeconfig. */
interface Named {
  readonly name: string
}

/** The class `KubeConfig` of the library. */
export interface KubeConfig {
  loadFromFile(file: string): void
  loadFromClusterAndUser(
    cluster: Cluster & { caData?: string; skipTLSVerify: boolean },
    user: Named & { token: string }
  ): void
  getClusters(): ReadonlyArray<Cluster>
  getUsers(): ReadonlyArray<Named>
  getContexts(): ReadonlyArray<Named>
  getCluster(name: string): Cluster | null
  getUser(name: string): Named | null
  getContextObject(name: string): (Named & { cluster: string; user: string; namespace?: string }) | null
  addCluster(cluster: Cluster): void
  addUser(user: Named): void
  addContext(context: Named): void
  getCurrentContext(): string
  setCurrentContext(context: string): void
  getCurrentCluster(): Cluster | null
  applyToHTTPSOptions(options: RequestOptions): Promise<void>
}

/** The exports of the package that this client uses. */
export interface ClientLibrary {
  readonly KubeConfig: new () => KubeConfig
  readonly loadYaml: (text: string) => unknown
}

/** The part of the library's WebSocket that this client uses. */
export interface WebSocket {
  readonly on: (event: "close" | "error", listener: (cause: unknown) => void) => unknown
  readonly send: (data: Uint8Array, sent: (error?: Error | null) => void) => void
  readonly pause: () => void
  readonly resume: () => void
  readonly close: () => void
  readonly terminate: () => void
}

/** The module of the library that opens WebSockets. */
export interface WebSocketModule {
  readonly WebSocketHandler: new (config: KubeConfig) => {
    connect(
      path: string,
      textHandler: null,
      binaryHandler: (channel: number, bytes: Buffer) => boolean
    ): Promise<unknown>
  }
}

/** The package's name, in parts: a bundler that sees the whole name would put 16 MB of the package into every app. */
const packageName = ["@kubernetes", "client-node"].join("/")

const missing =
  `a kubeconfig and port-forward need the package ${packageName}, which is not installed: ` +
  `run \`npm install ${packageName}\` (a parent inside of the cluster works without it)`

const load = <A>(path: string): Effect.Effect<A, KubeUnconfigured> =>
  Effect.tryPromise({
    try: () => import(/* webpackIgnore: true */ /* @vite-ignore */ path) as Promise<A>,
    catch: (cause) => {
      const { code, message } = cause as NodeJS.ErrnoException
      const isMissing = code === "ERR_MODULE_NOT_FOUND" && message.includes(packageName)
      return new KubeUnconfigured({
        detail: isMissing ? missing : `the package ${packageName} cannot be loaded: ${message}`
      })
    }
  })

/** Loads the package; fails with the command that installs it if it is missing. */
export const library: Effect.Effect<ClientLibrary, KubeUnconfigured> = Effect.suspend(() =>
  load<ClientLibrary>(packageName)
)

/** Loads the package's module of WebSockets. */
export const webSockets: Effect.Effect<WebSocketModule, KubeUnconfigured> = Effect.suspend(() =>
  load<WebSocketModule>(`${packageName}/dist/web-socket-handler.js`)
)
