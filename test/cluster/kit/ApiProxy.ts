/**
 * A proxy between a parent and the API server, which counts requests and injects faults.
 *
 * The proxy ends TLS with its own certificate, so the kubeconfig that it writes has `tls-server-name`. It forwards the
 * client's `Authorization`. It cannot forward a client certificate, so requests without a token have the rights of
 * `access`.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http"
import { Agent, createServer, request as open } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Access } from "./Api.ts"
import { type ApiRequest, parse } from "./ApiRequest.ts"
import { TcpProxy } from "./TcpProxy.ts"

export type Fault =
  /** Answers with this status instead of forwarding. `retryAfter` is in seconds. */
  | { readonly kind: "answer"; readonly status: number; readonly retryAfter?: number; readonly reason?: string }
  /** Answers a watch with 410, in the words of the API server. */
  | { readonly kind: "expire" }
  /** Never answers. */
  | { readonly kind: "hang" }
  /** Resets the connection instead of forwarding. */
  | { readonly kind: "reset" }
  /** Forwards the request, and resets the connection instead of answering. */
  | { readonly kind: "lose answer" }
  /** Forwards later. */
  | { readonly kind: "delay"; readonly millis: number }

/** The requests to which a fault applies. Default: all. */
export type Which = (request: ApiRequest) => boolean

export interface ApiProxyOptions {
  /** The address of the API server, and the credentials for clients without a token. */
  readonly access: Access
  /** The token in the kubeconfig. */
  readonly token?: string
  /** The namespace in the kubeconfig. */
  readonly namespace?: string
}

const serverName = "api.effect-flame.test"

interface Rule {
  readonly fault: Fault
  readonly which: Which
  left: number
}

export class ApiProxy {
  /** All requests in order, those with injected faults included. */
  readonly requests: Array<ApiRequest> = []
  /** The connections of clients, which a test can refuse, reset, freeze and slow down. */
  readonly line: TcpProxy
  /** The path of the kubeconfig. */
  readonly kubeconfig: string
  private readonly rules = new Set<Rule>()
  /** Open watches, and the API server's answers to them. */
  private readonly watches = new Map<ServerResponse, IncomingMessage>()
  private readonly access: Access
  private readonly withCertificate: Agent
  private readonly withToken: Agent

  constructor(options: ApiProxyOptions, line: TcpProxy, kubeconfig: string) {
    this.line = line
    this.kubeconfig = kubeconfig
    this.access = options.access
    const { ca, cert, key } = options.access
    this.withCertificate = new Agent({ keepAlive: true, ca, ...(cert === undefined ? {} : { cert, key }) })
    // A certificate would override the token.
    this.withToken = new Agent({ keepAlive: true, ca })
  }

  /** The address to which clients connect. */
  get server(): string {
    return `https://127.0.0.1:${this.line.port}`
  }

  /** Requests by kind, such as `{ "create pods": 3 }`. */
  get counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const { resource, verb } of this.requests) {
      counts[`${verb} ${resource}`] = (counts[`${verb} ${resource}`] ?? 0) + 1
    }
    return counts
  }

  /** The number of open watches. */
  get openWatches(): number {
    return this.watches.size
  }

  /**
   * Injects a fault into the next `times` requests, or all. The first fault that matches applies. Call the returned
   * function to end the fault.
   */
  inject(fault: Fault, which: Which = () => true, times = Number.POSITIVE_INFINITY): () => void {
    const rule = { fault, which, left: times }
    this.rules.add(rule)
    return () => void this.rules.delete(rule)
  }

  /** Ends every open watch, as the server does under load, or by a reset. */
  cutWatches(how: "end" | "reset" = "end"): void {
    for (const [response, from] of this.watches) {
      from.unpipe(response)
      if (how === "end") response.end()
      else response.socket?.destroy()
    }
  }

  /** Ends every watch again and again. Call the returned function to stop. */
  cutWatchesEvery(millis: number, how: "end" | "reset" = "end"): () => void {
    const timer = setInterval(() => this.cutWatches(how), millis)
    return () => clearInterval(timer)
  }

  close(): void {
    this.withCertificate.destroy()
    this.withToken.destroy()
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = this.note(request)
    const fault = this.faultFor(asked)
    if (fault?.kind === "answer") return answer(asked, response, fault)
    if (fault?.kind === "expire") return expire(asked, response)
    if (fault?.kind === "hang") return
    if (fault?.kind === "reset") return void request.socket.destroy()
    if (fault?.kind === "delay") await new Promise((done) => setTimeout(done, fault.millis))
    const upstream = this.ask(request)
    request.pipe(upstream)
    response.on("close", () => upstream.destroy())
    // Not after the answer is complete, because the connection may carry the next request by then.
    const broken = () => {
      if (!response.writableEnded) request.socket.destroy()
    }
    upstream.on("error", broken)
    upstream.on("response", (from) => {
      asked.status = from.statusCode
      if (fault?.kind === "lose answer") {
        from.resume()
        request.socket.destroy()
        return
      }
      response.writeHead(from.statusCode!, endToEnd(from.headers))
      // A watch is answered before any event.
      response.flushHeaders()
      from.on("error", broken)
      from.pipe(response)
      if (asked.verb === "watch") {
        this.watches.set(response, from)
        response.on("close", () => this.watches.delete(response))
      }
    })
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const asked = this.note(request)
    const fault = this.faultFor(asked)
    socket.on("error", () => {})
    if (fault?.kind === "hang") return
    if (fault?.kind === "delay") await new Promise((done) => setTimeout(done, fault.millis))
    else if (fault !== undefined) return void socket.destroy()
    const { connection, upgrade } = request.headers
    const upstream = this.ask(request, { connection, upgrade })
    const refuse = () => void socket.destroy()
    upstream.on("error", refuse)
    upstream.on("upgrade", (from, other, rest) => {
      asked.status = from.statusCode
      socket.write(headOf(from))
      socket.write(rest)
      other.write(head)
      other.on("error", refuse)
      other.on("close", refuse)
      socket.on("close", () => other.destroy())
      socket.pipe(other).pipe(socket)
    })
    upstream.on("response", (from) => {
      asked.status = from.statusCode
      socket.write(headOf(from))
      from.pipe(socket)
    })
    upstream.end()
  }

  private note(request: IncomingMessage): ApiRequest {
    const asked = parse(request.method ?? "GET", request.url ?? "/")
    this.requests.push(asked)
    return asked
  }

  private faultFor(asked: ApiRequest): Fault | undefined {
    for (const rule of this.rules) {
      if (rule.left <= 0 || !rule.which(asked)) continue
      rule.left--
      return rule.fault
    }
    return undefined
  }

  private ask({ headers, method, url }: IncomingMessage, more: IncomingHttpHeaders = {}) {
    const { server, token } = this.access
    const { authorization, host: _, ...others } = endToEnd(headers)
    const says = authorization ?? (token === undefined ? undefined : `Bearer ${token}`)
    return open(new URL(url ?? "/", server), {
      ...(method === undefined ? {} : { method }),
      agent: authorization === undefined ? this.withCertificate : this.withToken,
      headers: { ...others, ...more, ...(says === undefined ? {} : { authorization: says }) }
    })
  }
}

/** The headers that do not belong to one connection. */
const endToEnd = (headers: IncomingHttpHeaders): IncomingHttpHeaders => {
  const { connection: _c, "keep-alive": _k, "transfer-encoding": _t, upgrade: _u, ...others } = headers
  return others
}

const headOf = ({ rawHeaders, statusCode, statusMessage }: IncomingMessage): string => {
  const lines = rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${rawHeaders[at + 1]}`] : []))
  return [`HTTP/1.1 ${statusCode} ${statusMessage}`, ...lines, "", ""].join("\r\n")
}

const answer = (asked: ApiRequest, response: ServerResponse, fault: Fault & { readonly kind: "answer" }): void => {
  const { reason = fault.status === 429 ? "TooManyRequests" : "InternalError", retryAfter, status } = fault
  asked.status = status
  response.writeHead(status, {
    "content-type": "application/json",
    ...(retryAfter === undefined ? {} : { "retry-after": `${retryAfter}` })
  })
  const details = retryAfter === undefined ? {} : { details: { retryAfterSeconds: retryAfter } }
  const message = "a test wants it so"
  response.end(JSON.stringify({ kind: "Status", apiVersion: "v1", code: status, reason, message, ...details }))
}

const expire = (asked: ApiRequest, response: ServerResponse): void => {
  asked.status = 200
  response.writeHead(200, { "content-type": "application/json" })
  const message = "too old resource version: 1 (2)"
  const object = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason: "Expired",
    code: 410
  }
  response.end(`${JSON.stringify({ type: "ERROR", object })}\n`)
}

/** A key and a self-signed certificate for a name. */
export const certificate = (name: string): { readonly key: string; readonly cert: string } => {
  const folder = mkdtempSync(join(tmpdir(), "effect-flame-"))
  const [key, cert] = [join(folder, "key"), join(folder, "cert")]
  try {
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    const subject = ["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`]
    execFileSync("openssl", ["req", "-x509", "-days", "2", ...curve, ...subject, "-keyout", key, "-out", cert], {
      stdio: "ignore"
    })
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const kubeconfigOf = (server: string, cert: string, { namespace, token }: ApiProxyOptions): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "proxy",
        cluster: {
          server,
          "tls-server-name": serverName,
          "certificate-authority-data": Buffer.from(cert).toString("base64")
        }
      }
    ],
    users: [{ name: "proxy", user: token === undefined ? {} : { token } }],
    contexts: [
      { name: "proxy", context: { cluster: "proxy", user: "proxy", ...(namespace === undefined ? {} : { namespace }) } }
    ],
    "current-context": "proxy"
  })

/** A proxy that listens, and its kubeconfig, until the scope closes. */
export const make = (options: ApiProxyOptions): Effect.Effect<ApiProxy, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const pair = certificate(serverName)
        const server = createServer({ ...pair, keepAliveTimeout: 60_000 })
        await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
        const line = new TcpProxy({ to: { port: (server.address() as AddressInfo).port } })
        await line.listen()
        const folder = mkdtempSync(join(tmpdir(), "effect-flame-"))
        const file = join(folder, "kubeconfig")
        const proxy = new ApiProxy(options, line, file)
        writeFileSync(file, kubeconfigOf(proxy.server, pair.cert, options), { mode: 0o600 })
        server.on("request", (request: IncomingMessage, response: ServerResponse) => {
          void proxy.serve(request, response)
        })
        server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
          void proxy.upgrade(request, socket, head)
        })
        return { folder, proxy, server }
      }),
      ({ folder, proxy, server }) =>
        Effect.sync(() => {
          proxy.line.close()
          server.close()
          server.closeAllConnections()
          proxy.close()
          rmSync(folder, { recursive: true })
        })
    ),
    ({ proxy }) => proxy
  )
