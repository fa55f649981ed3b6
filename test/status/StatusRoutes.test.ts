import { spawn } from "node:child_process"
import * as http from "node:http"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Exit, Layer, Logger, Scope, Stream } from "effect"
import {
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { Pool } from "../../src/pool/Pool.ts"
import * as FlameStatus from "../../src/status/FlameStatus.ts"
import type { StatusDocument } from "../../src/status/record/StatusDocument.ts"
import { fixture } from "../fixtures/process/kit.ts"
import { until } from "../fixtures/process/processes.ts"

const ping = Flame.fn("ping", {}, () => Effect.void)
const talk = Flame.fn("talk", {}, () =>
  Effect.forEach(Array.from({ length: 200 }), (_, n) => Effect.logInfo(`line ${n}`), { discard: true })
)

/** A guard, as an app has before its admin pages. */
const guard = HttpRouter.middleware(
  (app) =>
    Effect.gen(function* () {
      const { headers } = yield* HttpServerRequest.HttpServerRequest
      return headers["authorization"] === "Bearer key" ? yield* app : HttpServerResponse.empty({ status: 401 })
    }),
  { global: true }
)

const withRoutes = <A, E>(
  options: FlameStatus.RoutesOptions,
  body: Effect.Effect<A, E, Pool | HttpClient.HttpClient | HttpServer.HttpServer>
) =>
  Effect.provide(
    body,
    Layer.provideMerge(
      HttpRouter.serve(Layer.mergeAll(FlameStatus.routes(options), guard), {
        disableListenLog: true,
        disableLogger: true
      }),
      Layer.mergeAll(NodeHttpServer.layerTest, FlameLayer.test([ping, talk]))
    )
  )

const get = (path: string) => HttpClient.execute(HttpClientRequest.get(path).pipe(HttpClientRequest.bearerToken("key")))

const post = (path: string, body: unknown) =>
  HttpClient.execute(
    HttpClientRequest.post(path).pipe(
      HttpClientRequest.bearerToken("key"),
      HttpClientRequest.setHeader("x-flame-action", "1"),
      HttpClientRequest.bodyJsonUnsafe(body)
    )
  )

const port = Effect.map(HttpServer.HttpServer, ({ address }) => ("port" in address ? address.port : 0))

/** The status of the answer to a POST whose body comes in chunks, without a length, and never ends. */
const postEndless = (port: number, path: string, headers: Readonly<Record<string, string>>) =>
  Effect.callback<number | undefined>((resume) => {
    const request = http.request({ port, path, method: "POST", agent: false, headers }, (response) => {
      request.destroy()
      resume(Effect.succeed(response.statusCode))
    })
    const write = () => {
      while (!request.destroyed && request.write("x".repeat(16_384)));
    }
    request.on("drain", write).on("error", () => {})
    write()
  })

/** A viewer that reads a stream: `began` at its first bytes, `ended` at its end. */
const viewer = (port: number | string, path: string) => {
  const seen = { began: false, ended: false }
  http.get({ port, path, agent: new http.Agent({ keepAlive: true }) }, (response) => {
    response.on("data", () => (seen.began = true)).on("end", () => (seen.ended = true))
  })
  return seen
}

describe("FlameStatus.routes", () => {
  it.live("ends the streams of viewers when the server closes, which would wait for them [C317]", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const app = HttpRouter.serve(FlameStatus.routes(), { disableListenLog: true, disableLogger: true }).pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(() => http.createServer(), { port: 0, gracefulShutdownTimeout: "1 minute" })
        ),
        Layer.provide(FlameLayer.test([ping]))
      )
      const at = yield* Effect.provide(port, yield* Layer.buildWithScope(app, scope))
      const events = viewer(at, "/flame/events")
      const lines = viewer(at, "/flame/logs?follow=1")
      yield* Effect.promise(() => until(() => events.began, "the viewer has the status"))
      yield* Scope.close(scope, Exit.void)
      yield* Effect.promise(() => until(() => events.ended && lines.ended, "the streams have ended"))
    })
  )

  it("ends the streams of viewers on SIGTERM, and the process exits with 0 [C317]", async () => {
    const child = spawn(process.execPath, [fileURLToPath(fixture("viewed.ts"))], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let stdout = ""
    child.stdout.on("data", (chunk) => (stdout += chunk))
    const closed = new Promise<number | null>((resolve) => child.once("close", resolve))
    const at = () => /^port (\d+)$/m.exec(stdout)?.[1]
    try {
      await until(() => at() !== undefined, "it listens")
      const events = viewer(at()!, "/flame/events")
      await until(() => events.began, "the viewer has the status")
      child.kill("SIGTERM")
      assert.strictEqual(await closed, 0)
      assert.isTrue(events.ended)
    } finally {
      child.kill("SIGKILL")
    }
  })

  it.live("serves page, document and events in the app's router, behind its middleware [C308]", () =>
    withRoutes(
      {},
      Effect.gen(function* () {
        yield* Flame.call(ping)
        assert.strictEqual((yield* HttpClient.get("/flame/status")).status, 401)
        for (const path of ["/flame", "/flame/"]) {
          const page = yield* get(path)
          assert.match(yield* page.text, /^<!doctype html>/)
          assert.match(page.headers["content-security-policy"] ?? "", /default-src 'none'/)
        }
        const document = (yield* (yield* get("/flame/status")).json) as unknown as StatusDocument
        assert.deepInclude(document.pools[0]?.functions[0], { name: "ping", calls: 1 })
        const events = yield* get("/flame/events")
        assert.strictEqual(events.headers["content-type"], "text/event-stream")
        const text = yield* events.stream.pipe(
          Stream.decodeText,
          Stream.filter((chunk) => chunk.includes("event: status")),
          Stream.take(2),
          Stream.runCollect
        )
        assert.lengthOf(text, 2)
      })
    )
  )

  it.live("refuses actions unless `actions` is true [C308]", () =>
    Effect.gen(function* () {
      const resize = Effect.gen(function* () {
        const answer = yield* post("/admin/resize", { pool: "effect-flame/Pool", max: 2 })
        return [answer.status, (yield* (yield* Pool).status).max] as const
      })
      assert.deepStrictEqual(yield* withRoutes({ path: "/admin" }, resize), [404, 10])
      assert.deepStrictEqual(yield* withRoutes({ path: "/admin", actions: true }, resize), [200, 2])
    })
  )

  it.live("sends all lines that a function logs at once [C319]", () =>
    withRoutes(
      {},
      Effect.gen(function* () {
        yield* Flame.call(talk)
        const lines = yield* get("/flame/logs?follow=1")
        yield* Flame.call(talk)
        const text = yield* lines.stream.pipe(Stream.decodeText, Stream.splitLines, Stream.take(400), Stream.runCollect)
        assert.deepStrictEqual(
          text.map((line) => (JSON.parse(line) as { message: string }).message),
          [...Array(400).keys()].map((n) => `line ${n % 200}`)
        )
      })
    ).pipe(Effect.provide(Logger.layer([])))
  )

  it.live("answers an action before it has read a body that is refused or too large [C318]", () =>
    Effect.gen(function* () {
      const bearer = { authorization: "Bearer key" }
      const honest = { ...bearer, "x-flame-action": "1", "content-type": "application/json" }
      const status = (headers: Readonly<Record<string, string>>) =>
        Effect.flatMap(port, (port) => postEndless(port, "/flame/resize", headers))
      assert.strictEqual(yield* withRoutes({}, status(honest)), 404)
      assert.strictEqual(yield* withRoutes({ actions: true }, status(bearer)), 403)
      assert.strictEqual(yield* withRoutes({ actions: true }, status(honest)), 413)
    })
  )
})
