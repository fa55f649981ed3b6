import { readFileSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import { Agent, createServer, request as open } from "node:https"
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { until } from "../../fixtures/process/processes.ts"
import * as ApiProxy from "../../cluster/kit/ApiProxy.ts"
import * as TcpProxy from "../../cluster/kit/TcpProxy.ts"

interface Got {
  readonly status: number
  readonly text: string
  readonly headers: IncomingMessage["headers"]
}

/** An API server that records requests. A watch emits one line and stays open. An upgrade echoes. */
const upstream = Effect.acquireRelease(
  Effect.promise(async () => {
    const pair = ApiProxy.certificate("localhost")
    const asked: Array<string> = []
    const server = createServer(pair, (request, response) => {
      const { authorization } = request.headers
      asked.push(`${request.method} ${request.url}`)
      if (request.url?.includes("watch=") === true) {
        response.write("one line\n")
        return
      }
      let body = ""
      request.on("data", (chunk: Buffer) => (body += chunk.toString()))
      request.on("end", () => response.end(JSON.stringify({ authorization, body })))
    })
    server.on("upgrade", (_request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
      socket.pipe(socket)
    })
    await new Promise<void>((done) => server.listen(0, "localhost", done))
    const url = `https://localhost:${(server.address() as AddressInfo).port}`
    return { asked, server, access: { server: url, ca: pair.cert, token: "of the test" } }
  }),
  ({ server }) =>
    Effect.sync(() => {
      server.close()
      server.closeAllConnections()
    })
)

/** A client for the proxy, from the kubeconfig alone. */
const clientOf = (proxy: ApiProxy.ApiProxy) => {
  const file = JSON.parse(readFileSync(proxy.kubeconfig, "utf8"))
  const { cluster } = file.clusters[0]
  const { token } = file.users[0].user
  const agent = new Agent({ keepAlive: true })
  const send = (method: string, path: string, headers: Record<string, string> = {}) =>
    open(new URL(path, cluster.server), {
      method,
      agent,
      ca: Buffer.from(cluster["certificate-authority-data"], "base64").toString(),
      servername: cluster["tls-server-name"],
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
    })
  const ask = (method: string, path: string, body?: string): Promise<Got> =>
    new Promise((done, fail) => {
      const request = send(method, path)
      request.on("error", fail)
      request.on("response", (response) => {
        let text = ""
        response.on("data", (chunk: Buffer) => (text += chunk.toString()))
        response.on("error", fail)
        response.on("end", () => done({ status: response.statusCode!, text, headers: response.headers }))
      })
      request.end(body)
    })
  /** The code of the error with which a request ends. */
  const failure = (method: string, path: string) =>
    ask(method, path).then(
      ({ status }) => `answered ${status}`,
      (error: NodeJS.ErrnoException) => error.code
    )
  return { agent, ask, failure, send }
}

const pods = "/api/v1/namespaces/t/pods"

const proxied = (options: { readonly token?: string } = {}) =>
  Effect.gen(function* () {
    const { access, asked } = yield* upstream
    const proxy = yield* ApiProxy.make({ access, ...options })
    const client = clientOf(proxy)
    yield* Effect.addFinalizer(() => Effect.sync(() => client.agent.destroy()))
    return { ...client, asked, proxy }
  })

describe("the proxy before an API server", () => {
  it.live("forwards requests, and names them as a Role does", () =>
    Effect.gen(function* () {
      const { ask, proxy } = yield* proxied()
      const created = yield* Effect.promise(() => ask("POST", pods, "a pod"))
      assert.deepStrictEqual(JSON.parse(created.text), { authorization: "Bearer of the test", body: "a pod" })
      for (const path of [pods, `${pods}/a`, `${pods}/a/log?tailLines=5`, "/version"]) {
        yield* Effect.promise(() => ask("GET", path))
      }
      for (const path of [pods, `${pods}/a`, "/apis/apps/v1/deployments/x"]) {
        yield* Effect.promise(() => ask("DELETE", path))
      }
      assert.deepStrictEqual(
        proxy.requests.map(({ name, namespace, resource, status, verb }) => [verb, resource, namespace, name, status]),
        [
          ["create", "pods", "t", undefined, 200],
          ["list", "pods", "t", undefined, 200],
          ["get", "pods", "t", "a", 200],
          ["get", "pods/log", "t", "a", 200],
          ["list", "/version", undefined, undefined, 200],
          ["deletecollection", "pods", "t", undefined, 200],
          ["delete", "pods", "t", "a", 200],
          ["delete", "deployments", undefined, "x", 200]
        ]
      )
      assert.strictEqual(proxy.counts["list pods"], 1)
    })
  )

  it.live("forwards a client's own token", () =>
    Effect.gen(function* () {
      const { ask } = yield* proxied({ token: "of the client" })
      const got = yield* Effect.promise(() => ask("GET", pods))
      assert.strictEqual(JSON.parse(got.text).authorization, "Bearer of the client")
    })
  )

  it.live("answers a request itself, as often as a test says", () =>
    Effect.gen(function* () {
      const { ask, asked, proxy } = yield* proxied()
      proxy.inject({ kind: "answer", status: 429, retryAfter: 7 }, ({ verb }) => verb === "create", 2)
      const stop = proxy.inject({ kind: "answer", status: 500 }, ({ resource }) => resource === "secrets")
      const got = yield* Effect.promise(async () => [
        await ask("POST", pods),
        await ask("GET", pods),
        await ask("POST", pods),
        await ask("POST", pods),
        await ask("GET", "/api/v1/namespaces/t/secrets")
      ])
      assert.deepStrictEqual(
        got.map(({ status }) => status),
        [429, 200, 429, 200, 500]
      )
      assert.strictEqual(got[0]?.headers["retry-after"], "7")
      assert.strictEqual(JSON.parse(got[0]!.text).reason, "TooManyRequests")
      assert.deepStrictEqual(asked, [`GET ${pods}`, `POST ${pods}`])
      stop()
      assert.strictEqual((yield* Effect.promise(() => ask("GET", "/api/v1/namespaces/t/secrets"))).status, 200)
    })
  )

  it.live("resets connections before or after the request was forwarded, and delays requests", () =>
    Effect.gen(function* () {
      const { ask, asked, failure, proxy } = yield* proxied()
      proxy.inject({ kind: "reset" }, () => true, 1)
      assert.strictEqual(yield* Effect.promise(() => failure("POST", `${pods}?1`)), "ECONNRESET")
      proxy.inject({ kind: "lose answer" }, () => true, 1)
      assert.strictEqual(yield* Effect.promise(() => failure("POST", `${pods}?2`)), "ECONNRESET")
      assert.deepStrictEqual(asked, [`POST ${pods}?2`])
      proxy.inject({ kind: "delay", millis: 100 }, () => true, 1)
      const before = performance.now()
      yield* Effect.promise(() => ask("GET", pods))
      assert.isAtLeast(performance.now() - before, 95)
    })
  )

  it.live("forwards events of a watch at once, and cuts watches", () =>
    Effect.gen(function* () {
      const { proxy, send } = yield* proxied()
      let lines = 0
      const watch = () =>
        new Promise<string>((done, fail) => {
          const request = send("GET", `${pods}?watch=1`)
          request.on("error", fail)
          request.on("response", (response) => {
            response.once("data", (chunk: Buffer) => {
              const line = chunk.toString()
              response.on("error", () => done(`${line}reset`))
              response.on("end", () => done(`${line}end`))
              response.resume()
              lines++
            })
          })
          request.end()
        })
      for (const [watches, how] of (["end", "reset"] as const).entries()) {
        const ended = watch()
        yield* Effect.promise(() => until(() => lines === watches + 1, "the watch tells a line"))
        assert.strictEqual(proxy.openWatches, 1)
        proxy.cutWatches(how)
        assert.strictEqual(yield* Effect.promise(() => ended), `one line\n${how}`)
      }
      const stop = proxy.cutWatchesEvery(20)
      assert.strictEqual(yield* Effect.promise(watch), "one line\nend")
      assert.strictEqual(yield* Effect.promise(watch), "one line\nend")
      stop()
      assert.strictEqual(proxy.counts["watch pods"], 4)
    })
  )

  it.live("forwards a WebSocket in both directions", () =>
    Effect.gen(function* () {
      const { proxy, send } = yield* proxied()
      const echoed = yield* Effect.callback<string>((resume) => {
        const request = send("GET", `${pods}/a/portforward?ports=1`, { connection: "Upgrade", upgrade: "websocket" })
        request.on("upgrade", (_response, socket) => {
          socket.on("data", (chunk: Buffer) => {
            resume(Effect.succeed(chunk.toString()))
            socket.destroy()
          })
          socket.write("there and back")
        })
        request.end()
      })
      assert.strictEqual(echoed, "there and back")
      assert.deepStrictEqual(proxy.counts, { "create pods/portforward": 1 })
    })
  )

  it.live("refuses, resets and freezes connections", () =>
    Effect.gen(function* () {
      const { agent, ask, failure, proxy } = yield* proxied()
      const { line } = proxy
      yield* Effect.promise(() => ask("GET", pods))
      yield* Effect.promise(() => ask("GET", pods))
      assert.strictEqual(line.accepted, 1)

      // Existing connections go on until they are reset.
      yield* Effect.promise(() => line.meet("refuse"))
      assert.strictEqual(yield* Effect.promise(() => failure("GET", pods)), "answered 200")
      proxy.inject({ kind: "hang" }, () => true, 1)
      const hanging = failure("GET", pods)
      yield* Effect.promise(() => until(() => proxy.requests.length === 4, "the request arrives"))
      line.reset()
      assert.strictEqual(yield* Effect.promise(() => hanging), "ECONNRESET")
      assert.strictEqual(yield* Effect.promise(() => failure("GET", pods)), "ECONNREFUSED")

      yield* Effect.promise(() => line.meet("reset"))
      assert.strictEqual(yield* Effect.promise(() => failure("GET", pods)), "ECONNRESET")
      yield* Effect.promise(() => line.meet("pass"))
      assert.strictEqual(yield* Effect.promise(() => failure("GET", pods)), "answered 200")

      const seen = proxy.requests.length
      line.freeze()
      const present = failure("GET", pods)
      const fresh = failure("GET", pods)
      yield* Effect.promise(() => until(() => line.accepted === 4, "another connection comes"))
      assert.strictEqual(proxy.requests.length, seen)
      line.thaw()
      assert.deepStrictEqual(yield* Effect.promise(() => Promise.all([present, fresh])), [
        "answered 200",
        "answered 200"
      ])

      // A stalled connection stays silent, and a new connection is served.
      line.stall()
      const stalled = failure("GET", pods)
      assert.strictEqual(proxy.requests.length, seen + 2)
      agent.destroy()
      assert.strictEqual(yield* Effect.promise(() => stalled), "ECONNRESET")
      assert.strictEqual(yield* Effect.promise(() => failure("GET", pods)), "answered 200")

      agent.destroy()
      yield* Effect.promise(() => line.meet("hang"))
      const unanswered = failure("GET", pods)
      yield* Effect.promise(() => until(() => line.accepted === 6, "a connection comes"))
      line.reset()
      assert.strictEqual(yield* Effect.promise(() => unanswered), "ECONNRESET")
    })
  )
})

describe("the proxy of TCP connections", () => {
  it.live("keeps bytes in order while its latency changes, and forwards an end in one direction", () =>
    Effect.gen(function* () {
      // Echoes once the client has sent everything.
      const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
        const chunks: Array<Buffer> = []
        socket.on("data", (chunk: Buffer) => chunks.push(chunk))
        socket.on("end", () => socket.end(Buffer.concat(chunks)))
      })
      yield* Effect.promise(() => new Promise<void>((done) => server.listen(0, "127.0.0.1", done)))
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const proxy = yield* TcpProxy.make({ to: { port: (server.address() as AddressInfo).port } })
      const sent = Buffer.alloc(12 * 1024 * 1024)
      for (let at = 0; at < sent.length; at += 4) sent.writeUInt32BE(at, at)
      const got = yield* Effect.promise(
        () =>
          new Promise<Buffer>((done, fail) => {
            const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true })
            const chunks: Array<Buffer> = []
            socket.on("error", fail)
            socket.on("data", (chunk: Buffer) => {
              chunks.push(chunk)
              proxy.latency = chunks.length % 3
            })
            socket.on("end", () => done(Buffer.concat(chunks)))
            proxy.latency = 20
            socket.write(sent.subarray(0, 1000))
            socket.write(sent.subarray(1000))
            socket.end()
          })
      )
      assert.isTrue(got.equals(sent))
      assert.strictEqual(proxy.bytes, 2 * sent.length)
      yield* Effect.promise(() => until(() => proxy.open === 0, "the connection is over"))
    })
  )
})
