/** The status as routes of the app's own router, whose middleware decides who may see it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { bodyLimit, isAction, make as makeApi, paths, type StatusAnswer, type StatusApi } from "./StatusApi.ts"

/** Chunks that wait for a viewer. Beyond them the viewer misses the oldest. */
const mostChunks = 16

export const layer = (options: { readonly path: string; readonly actions: boolean }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const api = yield* makeApi(options.actions)
      const base = options.path.replace(/\/+$/, "")
      for (const path of paths) {
        const answer = (request: HttpServerRequest.HttpServerRequest) => respond(api, path, request)
        const at = path === "/" ? base || "/" : `${base}${path}`
        yield* router.add(isAction(path) ? "POST" : "GET", at as `/${string}`, answer)
      }
    })
  )

const respond = (
  api: StatusApi,
  path: string,
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.gen(function* () {
    const { headers, method, url } = request
    const size = Number(headers["content-length"] ?? 0)
    const isSmall = method === "POST" && size <= bodyLimit
    const body = isSmall ? yield* Effect.orElseSucceed(request.text, () => "") : ""
    const query = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?") + 1) : "")
    return toResponse(api.answer({ method, path, query, header: (name) => headers[name], body }))
  })

const toResponse = (answer: StatusAnswer): HttpServerResponse.HttpServerResponse => {
  const { headers, status } = answer
  const contentType = headers["content-type"] ?? "text/plain"
  if ("body" in answer) return HttpServerResponse.text(answer.body, { status, headers, contentType })
  const chunks = Stream.callback<Uint8Array>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() => answer.open((chunk) => void Queue.offerUnsafe(queue, chunk))),
        (close) => Effect.sync(close)
      ),
    { bufferSize: mostChunks, strategy: "sliding" }
  )
  return HttpServerResponse.stream(chunks, { status, headers, contentType })
}
