/** Requests to one API server over node:https: one pool of connections, bounded in time and size, interruptible. */
import type { ClientRequest, IncomingMessage } from "node:http"
import * as Http from "node:http"
import * as Https from "node:https"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Credentials, KubeConnection } from "./KubeConnection.ts"
import { type Asked, broken, noAnswer, refused } from "./KubeAnswer.ts"
import type { KubeError } from "./KubeError.ts"

/** One request. */
export interface KubeRequest extends Asked {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE"
  /** From the server's root, with the query. */
  readonly path: string
  readonly body?: unknown
}

/** Sends requests to an API server. */
export interface KubeHttp {
  /** The body of a 2xx answer, within so many milliseconds. */
  readonly text: (request: KubeRequest, timeout: number) => Effect.Effect<string, KubeError>
  /** A 2xx answer over a connection of its own, whose headers came within so many milliseconds; ends with the scope. */
  readonly open: (request: KubeRequest, timeout: number) => Effect.Effect<IncomingMessage, KubeError, Scope.Scope>
  /** Counts a request that was sent by other means. */
  readonly count: (asked: Asked) => void
  /** How many requests were sent, by verb and resource, such as `create pods`. */
  readonly counts: () => Readonly<Record<string, number>>
  /** The server's time in milliseconds, by the `Date` of its last answer; undefined before the first answer. */
  readonly serverTime: () => number | undefined
}

/** Bounds; what they default to is in `make`. */
export interface Options {
  readonly userAgent: string
  /** Connections at once, without those of watches. */
  readonly connections?: number
  /** Bytes of one answer. A list of 2 000 pods has 10 MB. */
  readonly maxAnswer?: number
}

const untold = 100

/** Makes the pool of connections, which ends with the scope. */
export const make: (connection: KubeConnection, options: Options) => Effect.Effect<KubeHttp, never, Scope.Scope> =
  Effect.fnUntraced(function* (connection, { connections = 8, maxAnswer = 64 * 1024 * 1024, userAgent }) {
    const { server } = connection
    const secure = server.startsWith("https:")
    const root = new URL(server)
    const prefix = root.pathname === "/" ? "" : root.pathname
    // no TLS options here: they would win over those of a request, and credentials change
    const agent = new (secure ? Https : Http).Agent({
      keepAlive: true,
      keepAliveMsecs: 15_000,
      maxSockets: connections
    })
    // a proxy has its own, another one after each reading of the kubeconfig
    const agents = new Set([agent])
    yield* Effect.addFinalizer(() => Effect.sync(() => agents.forEach((agent) => agent.destroy())))

    const counts: Record<string, number> = {}
    const told = new Set<string>()
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
          // Node sends none with a DELETE, whose body then counts for nothing, preconditions included
          ...(body === undefined ? {} : { "content-type": contentType(request), "content-length": body.length })
        }
      })
      sent.setNoDelay(true)
      sent.end(body)
      return sent
    }

    /** A request until its answer has begun; `sending` holds what is under way, and survives an interruption. */
    const begin = (request: KubeRequest, sending: Sending): Effect.Effect<IncomingMessage, KubeError> =>
      Effect.flatMap(
        Effect.mapError(connection.credentials, ({ detail }) => noAnswer(request, "NoCredentials", detail, false)),
        (credentials) =>
          Effect.callback<IncomingMessage, KubeError>((resume) => {
            const sent = send(request, credentials, sending.shared)
            sending.generation = credentials.generation
            sending.sent = sent
            // stays for good: one that is destroyed later must not throw for want of a listener
            sent.on("error", (cause) => resume(Effect.fail(broken(request, server, cause))))
            sent.on("response", (answer) => {
              const date = Date.parse(answer.headers.date ?? "")
              if (!Number.isNaN(date)) dated = { date, at: performance.now() }
              resume(Effect.succeed(answer))
            })
          })
      )

    /** All of an answer's body. */
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
      if (warning === undefined || told.has(warning) || told.size >= untold) return Effect.void
      told.add(warning)
      return Effect.logWarning(`the Kubernetes API server warns: ${warning}`)
    }

    /** The answer where it is a yes. */
    const accepted = Effect.fnUntraced(function* (request: KubeRequest, answer: IncomingMessage) {
      yield* warn(answer)
      const status = answer.statusCode ?? 0
      if (status >= 200 && status < 300) return answer
      const body = yield* read(request, answer)
      const retryAfter = answer.headers["retry-after"]
      return yield* refused(request, { status, retryAfter, body }, yield* Clock.currentTimeMillis)
    })

    const ask = (request: KubeRequest, sending: Sending): Effect.Effect<IncomingMessage, KubeError> =>
      Effect.flatMap(begin(request, sending), (answer) => accepted(request, answer))

    /** Once more, at once, where the credentials or the authority may be older than those of the server. */
    const refreshed = <A, R>(sending: Sending, attempt: Effect.Effect<A, KubeError, R>) =>
      Effect.catchIf(
        attempt,
        ({ reason, status }) => status === 401 || reason === "Untrusted",
        () => Effect.andThen(connection.refresh(sending.generation), attempt)
      )

    const within = (request: KubeRequest, millis: number) => bounded(request, server, millis)

    return {
      text: (request, timeout) =>
        Effect.suspend(() => {
          const sending: Sending = { shared: true, generation: 0, sent: undefined }
          const attempt = Effect.flatMap(ask(request, sending), (answer) => read(request, answer))
          return refreshed(sending, attempt).pipe(
            Effect.onInterrupt(() => Effect.sync(() => void sending.sent?.destroy())),
            within(request, timeout)
          )
        }),
      open: Effect.fnUntraced(function* (request, timeout) {
        const sending: Sending = { shared: false, generation: 0, sent: undefined }
        yield* Effect.addFinalizer(() => Effect.sync(() => void sending.sent?.destroy()))
        return yield* refreshed(sending, ask(request, sending)).pipe(within(request, timeout))
      }),
      count,
      serverTime: () => (dated === undefined ? undefined : dated.date + performance.now() - dated.at),
      counts: () => ({ ...counts })
    }
  })

/** A patch is a merge patch: absent fields stay. */
const contentType = ({ method }: KubeRequest): string =>
  method === "PATCH" ? "application/merge-patch+json" : "application/json"

/** A request under way. */
interface Sending {
  /** Over a connection of the pool. */
  readonly shared: boolean
  generation: number
  sent: ClientRequest | undefined
}

/** Fails an effect that takes too long. */
export const bounded =
  (asked: Asked, server: string, duration: number) =>
  <A, R>(effect: Effect.Effect<A, KubeError, R>): Effect.Effect<A, KubeError, R> =>
    Effect.timeoutOrElse(effect, {
      duration,
      orElse: () => Effect.fail(noAnswer(asked, "TimedOut", `${server} did not answer within ${duration} ms`, true))
    })
