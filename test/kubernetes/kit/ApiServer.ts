/** An HTTPS server that plays the API server for tests of the client: scripts its answers and records its requests. */
import { Effect } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { createServer, type Server } from "node:https"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ApiProxy from "../../cluster/kit/ApiProxy.ts"

/** A request as it arrived. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

export type Answer = (asked: Asked, response: ServerResponse, index: number) => void

/** An answer with a JSON body. */
export const reply = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {}
) => {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))
}

/** An HTTPS server on this machine with an authority of its own. A test scripts its answers. */
export class ApiServer {
  readonly asked: Array<Asked> = []
  /** The number of connections that were ever made. */
  connections = 0
  readonly sockets = new Set<Duplex>()
  answer: Answer = (_asked, response) => reply(response, 200, {})
  /** A folder for files of the test. */
  readonly folder: string
  readonly authority: string
  private readonly server: Server

  constructor(name = "localhost") {
    this.folder = mkdtempSync(join(tmpdir(), "effect-flame-"))
    const pair = ApiProxy.certificate(name)
    this.authority = pair.cert
    this.server = createServer(pair)
    this.server.on("connection", (socket) => {
      this.connections++
      this.sockets.add(socket)
      socket.on("close", () => this.sockets.delete(socket))
    })
    this.server.on("request", (request, response) => void this.serve(request, response))
  }

  /** A server whose certificate is for that name. */
  static readonly named = (name: string) =>
    Effect.acquireRelease(
      Effect.promise(async () => {
        const api = new ApiServer(name)
        await new Promise<void>((done) => api.server.listen(0, "127.0.0.1", done))
        return api
      }),
      (api) => Effect.sync(() => api.close())
    )

  static readonly make = ApiServer.named("localhost")

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Writes a kubeconfig for this server. */
  kubeconfig(user: unknown, more: { readonly cluster?: unknown; readonly namespace?: string } = {}): string {
    const cluster = {
      server: `https://127.0.0.1:${this.port}`,
      "tls-server-name": "localhost",
      "certificate-authority-data": Buffer.from(this.authority).toString("base64"),
      ...(more.cluster as object | undefined)
    }
    const { namespace = "apps" } = more
    return this.write("kubeconfig", {
      clusters: [{ name: "here", cluster }],
      users: [{ name: "me", user }],
      contexts: [{ name: "it", context: { cluster: "here", user: "me", namespace } }],
      "current-context": "it"
    })
  }

  /** Writes a file: text as it is, everything else as JSON. */
  write(name: string, content: unknown): string {
    const path = join(this.folder, name)
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content), { mode: 0o700 })
    return path
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ""
    for await (const chunk of request) body += String(chunk)
    const asked = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body }
    this.asked.push(asked)
    this.answer(asked, response, this.asked.length - 1)
  }

  private close(): void {
    this.server.close()
    this.server.closeAllConnections()
    for (const socket of this.sockets) socket.destroy()
    rmSync(this.folder, { recursive: true })
  }
}

/** Changes environment variables of this process until the end of the scope. Undefined removes a variable. */
export const variables = (changes: Readonly<Record<string, string | undefined>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.keys(changes).map((name) => [name, process.env[name]] as const)
      set(Object.entries(changes))
      return before
    }),
    (before) => Effect.sync(() => set(before))
  )

const set = (pairs: ReadonlyArray<readonly [string, string | undefined]>): void => {
  for (const [name, value] of pairs) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}
