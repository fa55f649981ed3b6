import { assert, describe, it } from "@effect/vitest"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Stream } from "effect"
import { HttpClient, HttpClientRequest, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { Pool } from "../../src/pool/Pool.ts"
import * as FlameStatus from "../../src/status/FlameStatus.ts"
import type { StatusDocument } from "../../src/status/record/StatusDocument.ts"

const ping = Flame.fn("ping", {}, () => Effect.void)

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
  body: Effect.Effect<A, E, Pool | HttpClient.HttpClient>
) =>
  Effect.provide(
    body,
    Layer.provideMerge(
      HttpRouter.serve(Layer.mergeAll(FlameStatus.routes(options), guard), {
        disableListenLog: true,
        disableLogger: true
      }),
      Layer.mergeAll(NodeHttpServer.layerTest, FlameLayer.test([ping]))
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

describe("FlameStatus.routes", () => {
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
      assert.deepStrictEqual(yield* withRoutes({ path: "/admin" }, resize), [403, 10])
      assert.deepStrictEqual(yield* withRoutes({ path: "/admin", actions: true }, resize), [200, 2])
    })
  )
})
