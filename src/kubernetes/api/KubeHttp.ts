/** HTTP requests to one API server over node:https: one pool of connections, bounded in time and size, interruptible. */
import type { ClientRequest, IncomingMessage } from "node:http"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spoken } from "../../time/Spoken.ts"
import type { Credentials, KubeConnection } from "./KubeConnection.ts"
import { type Asked, broken, noAnswer, refused } from "./KubeAnswer.ts"
import type { KubeError } from "./KubeError.ts"

/** A request. */
export interface KubeRequest extends Asked {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  /** From the server's root, with the query. */
  readonly path: string
  readonly body?: unknown
}

/** Sends requests to one API server. */
export interface KubeHttp {
  /** The body of a 2xx answer. Fails with `TimedOut` after that many milliseconds. */
  readonly text: (request: KubeRequest, timeout: number) => Effect.Effect<string, KubeError>
  /**
   * A 2xx answer over a connection of its own, which ends with the scope. Fails with `TimedOut` if the headers take longer
   * than that many milliseconds.
   */
  readonly open: (request: KubeRequest, timeout: number) => Effect.Effect<IncomingMessage, KubeError, Scope.Scope>
  /** Counts a request that was sent by other means. */
  readonly count: (asked: Asked) => void
  /** How many requests were sent, by verb and resource, such as `create pods`. */
  readonly counts: () => Readonly<Record<string, number>>
  /** The server's time in milliseconds, by the `Date` of its last answer; undefined before the first answer. */
  readonly serverTime: () => number | undefined
  /** Whether the API server, or a gateway before it, has ever answered. */
  readonly isAnswered: () => boolean
}

/** Bounds of the pool of connections. */
export interface HttpOptions {
  readonly userAgent: string
  /** Connections at once, not counting those of watches. Default 8. */
  readonly connections?: number
  /** Bytes of one answer. Default 64 MiB; a list of 2 000 pods has 10 MB. */
  readonly maxAnswer?: number
}

/** Distinct warnings of the API server that are logged, at most. */
const warnings = 100

/** Milliseconds until a connection must be open: a firewall drops packets without an answer. */
const connectTime = 10_000

/** Makes the pool of connections, which ends with the scope. */
export const make: (connection: KubeConnection, options: HttpOptions) => Effect.Effect<KubeHttp, never, Scope.Scope> =
  Effect.fnUntraced(function* (connection, { connections = 8, maxAnswer = 64 * 1024 * 1024, userAgent }) {
    const { server } = connection
    const secure = server.startsWith("https:")
    const root = new URL(server)
    const prefix = root.pathname === "/" ? "" : root.pathname
    // No TLS options here, because an agent's options override those of a request, and credentials change.
    const agent = new (secure ? Https : Http).Agent({
      keepAlive: true,
      keepAliveMsecs: 15_000,
      maxSockets: connections
    })
    // A kubeconfig with a proxy makes a new agent after each reading.
    const agents = new Set([agent])
    yield* Effect.addFinalizer(() => Effect.sync(() => agents.forEach((agent) => agent.destroy())))

    const counts: Record<string, number> = {}
    const warned = new Set<string>()
    let isAnswered = false
    let dated: { readonly date: number; readonly at: number } | undefined

    const count = ({ resource, verb }: Asked): void => {
      counts[`${verb} ${resource}`] = (counts[`${verb} ${resource}`] ?? 0) + 1
    }

    const send = (request: KubeRequest, credentials: Credentials, shared: boolean): ClientRequest => {
      count(request)
      if (credentials.agent !== undefined) agents.add(credentials.agent)
      const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body))
      const sent = (secure ? Https : Http).request(root, {
        ...credentials.tls,
        method: request.method,
        path: prefix + request.path,
        agent: credentials.agent ?? (shared ? agent : false),
        headers: {
          "user-agent": userAgent,
          accept: "application/json",
          ...credentials.headers,
          // Node sends no length with a DELETE. The API server then ignores the body, preconditions included.
          ...(body === undefined ? {} : { "content-type": contentType(request), "content-length": body.length })
        }
      })
      sent.setNoDelay(true)
      boundConnect(sent)
      sent.end(body)
      return sent
    }

    /** Sends a request and waits for the headers of its answer. `sending` keeps what must be destroyed by an interruption. */
    const begin = (request: KubeRequest, sending: Sending): Effect.Effect<IncomingMessage, KubeError> =>
      Effect.flatMap(
        Effect.mapError(connection.credentials, ({ detail }) =>
          noAnswer(request, "NoCredentials", detail, false, server)
        ),
        (credentials) =>
          Effect.callback<IncomingMessage, KubeError>((resume) => {
            const sent = send(request, credentials, sending.shared)
            sending.generation = credentials.generation
            sending.sent = sent
            // This listener stays: an error event without a listener throws, and the request may be destroyed later.
            sent.on("error", (cause) => resume(Effect.fail(broken(request, server, cause))))
            sent.on("response", (answer) => {
              const date = Date.parse(answer.headers.date ?? "")
              if (!Number.isNaN(date)) dated = { date, at: performance.now() }
              isAnswered = true
              resume(Effect.succeed(answer))
            })
          })
      )

    const read = (request: KubeRequest, answer: IncomingMessage): Effect.Effect<string, KubeError> =>
      Effect.callback<string, KubeError>((resume) => {
        const chunks: Array<Buffer> = []
        let size = 0
        answer.on("data", (chunk: Buffer) => {
          chunks.push(chunk)
          size += chunk.length
          if (size <= maxAnswer) return
          answer.destroy()
          resume(Effect.fail(noAnswer(request, "TooLarge", `the answer has more than ${maxAnswer} bytes`, false)))
        })
        answer.on("end", () => resume(Effect.succeed(Buffer.concat(chunks).toString())))
        answer.on("error", (cause) => resume(Effect.fail(broken(request, server, cause))))
      })

    const warn = (answer: IncomingMessage): Effect.Effect<void> => {
      const { warning } = answer.headers
      if (warning === undefined || warned.has(warning) || warned.size >= warnings) return Effect.void
      warned.add(warning)
      return Effect.logWarning(`the Kubernetes API server warns: ${warning}`)
    }

    /** The answer if its status is 2xx. */
    const accepted = Effect.fnUntraced(function* (request: KubeRequest, answer: IncomingMessage) {
      yield* warn(answer)
      const status = answer.statusCode ?? 0
      if (status >= 200 && status < 300) return answer
      const body = yield* read(request, answer)
      const retryAfter = answer.headers["retry-after"]
      return yield* refused(request, { status, retryAfter, body }, yield* Clock.currentTimeMillis, server)
    })

    const ask = (request: KubeRequest, sending: Sending): Effect.Effect<IncomingMessage, KubeError> =>
      Effect.flatMap(begin(request, sending), (answer) => accepted(request, answer))

    /** Repeats an attempt once with fresh credentials: the token or the authority may have been replaced. */
    const refreshed = <A, R>(sending: Sending, attempt: Effect.Effect<A, KubeError, R>) =>
      Effect.catchIf(
        attempt,
        ({ reason, status }) => status === 401 || reason === "Untrusted",
        () => Effect.andThen(connection.refresh(sending.generation), attempt)
      )

    return {
      text: (request, timeout) =>
        Effect.suspend(() => {
          const sending: Sending = { shared: true, generation: 0, sent: undefined }
          const attempt = Effect.flatMap(ask(request, sending), (answer) => read(request, answer))
          return refreshed(sending, attempt).pipe(
            Effect.onInterrupt(() => Effect.sync(() => void sending.sent?.destroy())),
            bounded(request, server, timeout)
          )
        }),
      open: Effect.fnUntraced(function* (request, timeout) {
        const sending: Sending = { shared: false, generation: 0, sent: undefined }
        yield* Effect.addFinalizer(() => Effect.sync(() => void sending.sent?.destroy()))
        return yield* refreshed(sending, ask(request, sending)).pipe(bounded(request, server, timeout))
      }),
      count,
      serverTime: () => (dated === undefined ? undefined : dated.date + performance.now() - dated.at),
      counts: () => ({ ...counts }),
      isAnswered: () => isAnswered
    }
  })

/** A patch is a merge patch: absent fields stay. */
const contentType = ({ method }: KubeRequest): string =>
  method === "PATCH" ? "application/merge-patch+json" : "application/json"

/** A request in flight. */
interface Sending {
  /** Whether the request uses the pool's connections. */
  readonly shared: boolean
  generation: number
  sent: ClientRequest | undefined
}

/** Destroys a request whose connection does not open in time. */
const boundConnect = (sent: ClientRequest): void => {
  sent.once("socket", (socket) => {
    if (!socket.connecting) return
    const late = Object.assign(new Error(`no connection within ${spoken(connectTime)}`), { code: "ETIMEDOUT" })
    const timer = setTimeout(() => sent.destroy(late), connectTime)
    const clear = () => clearTimeout(timer)
    socket.once("connect", clear)
    socket.once("close", clear)
  })
}

/** Fails with `TimedOut` after that many milliseconds. */
export const bounded =
  (asked: Asked, server: string, duration: number) =>
  <A, R>(effect: Effect.Effect<A, KubeError, R>): Effect.Effect<A, KubeError, R> =>
    Effect.timeoutOrElse(effect, {
      duration,
      orElse: () =>
        Effect.fail(noAnswer(asked, "TimedOut", `${server} did not answer within ${spoken(duration)}`, true, server))
    })
