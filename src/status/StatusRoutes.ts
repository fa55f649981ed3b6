/** The status as routes of the app's own router, whose middleware decides who may see it. */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as RouteViewer from "./RouteViewer.ts"
import {
  bodyLimit,
  isAction,
  make as makeApi,
  paths,
  type StatusAnswer,
  type StatusApi,
  tooLarge
} from "./StatusApi.ts"

export const layer = (options: { readonly path: string; readonly actions: boolean }) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const api = yield* makeApi(options.actions)
      const base = options.path.replace(/\/+$/, "")
      for (const path of paths) {
        if (isAction(path) && !options.actions) continue
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
    const query = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?") + 1) : "")
    const asked = { method, path, query, header: (name: string) => headers[name] }
    if (!isAction(path)) return toResponse(request, api.answer({ ...asked, body: "" }))
    const refusal = api.refuse(asked)
    if (refusal !== undefined) return toResponse(request, refusal)
    const body = yield* bodyOf(request)
    return toResponse(request, body === undefined ? tooLarge : api.answer({ ...asked, body }))
  })

/** The body, or undefined if it has more than `bodyLimit` bytes. Those are not read, whatever `content-length` says. */
const bodyOf = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<string | undefined> =>
  request.text.pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(bodyLimit)),
    Effect.catch(({ reason }) =>
      Effect.succeed(reason._tag === "RequestParseError" && reason.reason === "BodyTooLarge" ? undefined : "")
    )
  )

const toResponse = (
  request: HttpServerRequest.HttpServerRequest,
  answer: StatusAnswer
): HttpServerResponse.HttpServerResponse => {
  const { headers, status } = answer
  const contentType = headers["content-type"] ?? "text/plain"
  if ("body" in answer) return HttpServerResponse.text(answer.body, { status, headers, contentType })
  if (RouteViewer.isClosing(request)) return HttpServerResponse.text("this process shuts down\n", { status: 503 })
  // A server that closes would wait for a kept connection after the end of its stream.
  return HttpServerResponse.stream(RouteViewer.stream(request, answer.open), {
    status,
    headers: { ...headers, connection: "close" },
    contentType
  })
}
