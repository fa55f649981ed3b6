/** Calls to the API server: requests within their bounds, retried as long as that may help. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { noAnswer } from "./KubeAnswer.ts"
import { KubeError } from "./KubeError.ts"
import type * as KubeHttp from "./KubeHttp.ts"
import { retrying } from "./KubeRetry.ts"

/**
 * Bounds of the requests to the API server.
 *
 * @since 0.1.0
 * @category options
 */
export interface CallBounds {
  /** Longest time of one request. Default 15 s, and 40 s for a create, which waits for admission webhooks. */
  readonly requestTimeout?: Duration.Input
  /** How long a call is retried. Default 30 s. A server that has never answered is given up after 5 s. */
  readonly retryFor?: Duration.Input
}

/** Longest time of one request, in milliseconds. An admission webhook may take 30 s, and a create waits for it. */
const defaults = { request: 15_000, create: 40_000, total: 30_000 } as const

/**
 * Milliseconds of retries for a server that has never answered.
 *
 * Waiting does not help against a wrong address, a cluster that is not running or a VPN that is off, so the error must
 * come in seconds. An outage of a server that has answered before is retried for the whole `retryFor`.
 */
const firstContact = 5_000

/** Sends requests within their bounds, and retries them. */
export interface Caller {
  readonly http: KubeHttp.KubeHttp
  /** The body of one try. */
  readonly once: (request: KubeHttp.KubeRequest, left: number) => Effect.Effect<string, KubeError>
  /** The parsed body of one try. */
  readonly json: <A>(request: KubeHttp.KubeRequest, left: number) => Effect.Effect<A, KubeError>
  /** The parsed body, after retries. */
  readonly call: <A>(request: KubeHttp.KubeRequest) => Effect.Effect<A, KubeError>
  readonly retry: <A, R>(attempt: (left: number) => Effect.Effect<A, KubeError, R>) => Effect.Effect<A, KubeError, R>
  readonly requestTimeout: number
}

/** Makes a caller of a pool of connections. */
export const callerOf = (http: KubeHttp.KubeHttp, options: CallBounds): Caller => {
  const given = options.requestTimeout === undefined ? undefined : Duration.toMillis(options.requestTimeout)
  const requestTimeout = given ?? defaults.request
  const total = Duration.toMillis(options.retryFor ?? defaults.total)

  const once = (request: KubeHttp.KubeRequest, left: number) =>
    // The remaining time does not cut a create short, because the API server would execute it all the same.
    http.text(request, request.method === "POST" ? (given ?? defaults.create) : Math.min(requestTimeout, left))

  const json = <A>(request: KubeHttp.KubeRequest, left: number): Effect.Effect<A, KubeError> =>
    Effect.flatMap(once(request, left), (body) =>
      Effect.try({
        try: () => JSON.parse(body) as A,
        catch: () => noAnswer(request, "Garbled", `the answer is not JSON: ${body.slice(0, 100)}`, true)
      })
    )

  const retry = <A, R>(attempt: (left: number) => Effect.Effect<A, KubeError, R>) =>
    Effect.suspend(() => {
      if (http.isAnswered()) return retrying(total, attempt)
      return Effect.mapError(retrying(Math.min(total, firstContact), attempt), (error) =>
        http.isAnswered() ? error : new KubeError({ ...error, retryable: false })
      )
    })

  return { http, once, json, retry, requestTimeout, call: (request) => retry((left) => json(request, left)) }
}
