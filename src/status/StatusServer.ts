/**
 * Serves the status on a port of 127.0.0.1, or on a unix socket of the user.
 *
 * A page of another site may lead a browser to 127.0.0.1 by a name of its own (DNS rebinding). So a request by port is
 * refused unless its Host is this machine.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import { backlog, bodyLimit, type StatusAnswer, type StatusApi } from "./StatusApi.ts"

/** A port on 127.0.0.1, or the path of a unix socket. */
export type Address = { readonly port: number } | { readonly path: string }

/** Bytes that may wait for a viewer before its connection is ended. */
const mostBacklog = 4 * 1024 * 1024
/** Viewers at a time. */
const mostConnections = 1_000

const isHere = (host: string | undefined): boolean =>
  host !== undefined && /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host)

/** Listens until the scope closes. Fails with the error of the system if the address cannot be used. */
export const listen = (api: StatusApi, address: Address): Effect.Effect<Http.Server, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Http.Server, Error>((resume) => {
      const isLocal = "path" in address
      const server = Http.createServer({ requestTimeout: 10_000 }, (request, response) => {
        if (isLocal || isHere(request.headers.host)) return receive(api, request, response)
        write(response, {
          status: 403,
          headers: { "content-type": "text/plain" },
          body: "this status is for its own machine: open it as http://127.0.0.1 or http://localhost\n"
        })
      })
      server.maxConnections = mostConnections
      server.once("error", (error) => resume(Effect.fail(error)))
      server.listen(isLocal ? address : { ...address, host: "127.0.0.1" }, () => {
        if (isLocal) Fs.chmodSync(address.path, 0o600)
        // The app ends when its work has ended. The server must not keep it running.
        server.unref()
        resume(Effect.succeed(server))
      })
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

const receive = (api: StatusApi, request: Http.IncomingMessage, response: Http.ServerResponse): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  request.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size > bodyLimit) request.destroy()
    else chunks.push(chunk)
  })
  request.on("end", () => {
    const [path = "/", query = ""] = (request.url ?? "/").split("?", 2)
    const header = (name: string) => request.headers[name]?.toString()
    const body = Buffer.concat(chunks).toString("utf8")
    try {
      write(
        response,
        api.answer({ method: request.method ?? "GET", path, query: new URLSearchParams(query), header, body })
      )
    } catch {
      // An exception here would end the app.
      response.destroy()
    }
  })
}

const write = (response: Http.ServerResponse, answer: StatusAnswer): void => {
  if ("body" in answer) {
    response.writeHead(answer.status, answer.headers)
    return void response.end(answer.body)
  }
  // The end of the connection ends the stream. So chunked encoding is not needed, which would cost more than the chunks.
  response.useChunkedEncodingByDefault = false
  response.writeHead(answer.status, { ...answer.headers, connection: "close" })
  if (response.req.method === "HEAD") return void response.end()
  response.flushHeaders()
  const { socket } = response
  if (socket === null || socket.destroyed) return
  const close = answer.open((chunk) => {
    if (socket.writableLength > mostBacklog) socket.destroy()
    if (socket.destroyed || socket.writableLength > backlog) return false
    socket.write(chunk)
    return true
  })
  response.on("close", close)
}

/** Removes the sockets of a directory whose parent is gone: nobody listens on them. */
export const removeStale = (paths: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.forEach(
    paths,
    (path) =>
      Effect.callback<void>((resume) => {
        const probe = Net.connect(path)
        const done = () => {
          probe.destroy()
          resume(Effect.void)
        }
        probe.once("connect", done)
        probe.once("error", (error: NodeJS.ErrnoException) => {
          if (error.code === "ECONNREFUSED") Fs.rmSync(path, { force: true })
          done()
        })
      }),
    { discard: true, concurrency: 8 }
  )
