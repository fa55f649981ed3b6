/** Answers the requests of the status, for every server. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { LineFollower } from "./LineFollower.ts"
import type { RunnerLine } from "./record/LineRing.ts"
import { contentSecurityPolicy, page } from "./StatusPage.ts"
import * as StatusActions from "./StatusActions.ts"
import { StatusDocument } from "./record/StatusDocument.ts"
import { type Send, StatusFeed } from "./StatusFeed.ts"
import { acquire, type Recorder } from "./record/Recorder.ts"

export interface StatusRequest {
  readonly method: string
  /** The path below the mount point, such as `/status`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly header: (name: string) => string | undefined
  readonly body: string
}

/** An answer with a body, or a stream that `open` begins. */
export type StatusAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
} & ({ readonly body: string } | { readonly open: (send: Send) => () => void })

/** The largest body of a request, in bytes. */
export const bodyLimit = 4_096
/** Bytes that may wait for a viewer. A viewer with more misses the next chunks. */
export const backlog = 512 * 1024

const always = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer"
} as const

const answer = (status: number, type: string, body: string, headers: Record<string, string> = {}): StatusAnswer => ({
  status,
  headers: { "content-type": type, ...always, ...headers },
  body
})

const json = (status: number, value: unknown): StatusAnswer =>
  answer(status, "application/json; charset=utf-8", typeof value === "string" ? value : JSON.stringify(value))

const failure = (status: number, error: string): StatusAnswer => json(status, { error })

/** The answer to an action whose body is larger than `bodyLimit`. */
export const tooLarge = failure(413, `the body of an action has at most ${bodyLimit} bytes`)

/** The paths of the status, below the mount point. */
export const paths = ["/", "/status", "/events", "/logs", "/schema", "/resize", "/drain"] as const

/** Whether a path changes something. */
export const isAction = (path: string): boolean => path === "/resize" || path === "/drain"

export class StatusApi {
  private readonly recorder: Recorder
  private readonly actions: boolean
  private readonly acted: (line: string) => void
  readonly feed: StatusFeed
  /** The last document. A second request within `freshness` gets it again. */
  private latest: { readonly at: number; readonly text: string } | undefined

  /** `acted` receives a line for each action that was taken. */
  constructor(recorder: Recorder, actions: boolean, acted: (line: string) => void = () => {}) {
    this.recorder = recorder
    this.actions = actions
    this.acted = acted
    this.feed = new StatusFeed(recorder, actions)
  }

  /** The refusal of an action, for which a server need not read the body. */
  refuse({ header, method, path }: Omit<StatusRequest, "body">): StatusAnswer | undefined {
    if (!isAction(path)) return undefined
    if (!this.actions) return failure(403, "this status is read-only: FlameStatus takes actions with `actions: true`")
    if (method !== "POST") return failure(405, `${path} takes POST`)
    // A page of another site cannot send the header without the permission of a preflight, which is never given.
    if (header("x-flame-action") !== "1" || header("content-type")?.startsWith("application/json") !== true)
      return failure(403, "an action needs the headers `x-flame-action: 1` and `content-type: application/json`")
    if (Number(header("content-length") ?? 0) > bodyLimit) return tooLarge
    return undefined
  }

  answer(request: StatusRequest): StatusAnswer {
    const { method, path } = request
    if (isAction(path)) return this.act(request)
    if (!(paths as ReadonlyArray<string>).includes(path)) return failure(404, `there is ${paths.join(", ")}`)
    if (method !== "GET" && method !== "HEAD") return failure(405, `${path} takes GET`)
    switch (path) {
      case "/status":
        return json(200, this.document)
      case "/schema":
        return json(200, Schema.toJsonSchemaDocument(StatusDocument))
      case "/events":
        return {
          status: 200,
          headers: { "content-type": "text/event-stream", ...always },
          open: (send) => this.feed.view(send)
        }
      case "/logs":
        return this.logs(request.query)
      default:
        return answer(200, "text/html; charset=utf-8", page, { "content-security-policy": contentSecurityPolicy })
    }
  }

  private get document(): string {
    const now = performance.now()
    if (this.latest === undefined || now - this.latest.at > freshness) {
      const document = this.recorder.document({ actions: this.actions, hasCalls: true })
      this.latest = { at: now, text: JSON.stringify(document) }
    }
    return this.latest.text
  }

  private act(request: StatusRequest): StatusAnswer {
    const refusal = this.refuse(request)
    if (refusal !== undefined) return refusal
    const { body, path } = request
    // The next reader must see the effect of the action.
    this.latest = undefined
    const { status, text } = path === "/resize" ? StatusActions.resize(body) : StatusActions.drain(body)
    if (status !== 200) return failure(status, text)
    this.acted(`a viewer of the status has asked for this: ${text}`)
    return json(200, { done: text })
  }

  private logs(query: URLSearchParams): StatusAnswer {
    const [runner, fn] = [query.get("runner"), query.get("function")]
    const since = Number(query.get("since") ?? 0)
    if (!Number.isFinite(since)) return failure(400, "`since` is a time in milliseconds since 1970")
    const isWanted = (line: RunnerLine) =>
      (runner === null || line.runner === runner) && (fn === null || line.function === fn) && line.at >= since
    const text = (lines: ReadonlyArray<RunnerLine>) => lines.map((line) => `${JSON.stringify(line)}\n`).join("")
    const kept = text(this.recorder.lines.filter(isWanted))
    const type = "application/x-ndjson; charset=utf-8"
    if (query.get("follow") !== "1") return answer(200, type, kept)
    return {
      status: 200,
      headers: { "content-type": type, ...always },
      open: (send) => {
        send(Buffer.from(kept))
        const follower = new LineFollower(send)
        const leave = this.feed.follow((line) => {
          if (isWanted(line)) follower.add(text([line]))
        })
        return () => {
          leave()
          follower.close()
        }
      }
    }
  }
}

/** Milliseconds in which a document is not made again. */
const freshness = 200

/** The answers of this process. Logs each action. The scope ends the feed. */
export const make = (actions: boolean): Effect.Effect<StatusApi, never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<never>()
    const log = (line: string) => void Effect.runForkWith(context)(Effect.logInfo(line))
    const api = new StatusApi(yield* acquire, actions, log)
    yield* Effect.addFinalizer(() => Effect.sync(() => api.feed.close()))
    return api
  })
