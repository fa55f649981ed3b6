/** The status of one parent over HTTP: through a unix socket of this machine, or through a port-forward to its pod. */
import * as Http from "node:http"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { KubeError } from "../../kubernetes/api/KubeError.ts"
import * as StatusAddress from "../../status/StatusAddress.ts"
import { StatusDocument, version } from "../../status/record/StatusDocument.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import { EventReader, type ServerEvent } from "./ServerEvents.ts"

/** A parent did not give its status. */
export class NoStatus extends Schema.TaggedError<NoStatus>()("NoStatus", {
  /**
   * `absent`: nobody listens there, or the program has no `FlameStatus`. `forbidden`: this user may not forward ports.
   * `uninstalled`: the package that forwards ports is missing. `failed`: anything else.
   */
  kind: Schema.Literals(["absent", "forbidden", "uninstalled", "failed"]),
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** A parent that may give its status. */
export interface StatusSource {
  /** The pod's name, or the path of the socket. */
  readonly name: string
  readonly isLocal: boolean
  /** A GET request. The answer's connection ends with the scope. */
  readonly open: (path: string) => Effect.Effect<Http.IncomingMessage, NoStatus, Scope.Scope>
}

/** Milliseconds until the headers of an answer. */
const answerTime = 5_000

const absentCodes: ReadonlySet<string> = new Set(["ECONNREFUSED", "ENOENT", "ECONNRESET", "EPIPE"])

const noStatus = (cause: unknown): NoStatus => {
  const { code = "", message } = cause as NodeJS.ErrnoException
  // The kubelet's message for a port without a listener.
  const isAbsent = absentCodes.has(code) || /refused|socket hang up|reset/i.test(message)
  return new NoStatus({ kind: isAbsent ? "absent" : "failed", detail: message })
}

const answered = (options: Http.RequestOptions): Effect.Effect<Http.IncomingMessage, NoStatus, Scope.Scope> =>
  Effect.gen(function* () {
    const answer = yield* Effect.acquireRelease(
      Effect.callback<Http.IncomingMessage, NoStatus>((resume) => {
        const request = Http.request({ ...options, headers: { host: `127.0.0.1:${StatusAddress.port}` } })
        request.on("error", (cause) => resume(Effect.fail(noStatus(cause))))
        request.on("response", (response) => {
          // Without a listener an error event would end the program.
          response.on("error", () => {})
          resume(Effect.succeed(response))
        })
        request.end()
        return Effect.sync(() => request.destroy())
      }).pipe(
        Effect.timeoutOrElse({
          duration: answerTime,
          orElse: () => Effect.fail(new NoStatus({ kind: "failed", detail: "no answer within 5 s" }))
        })
      ),
      (response) => Effect.sync(() => response.destroy()),
      { interruptible: true }
    )
    if (answer.statusCode === 200) return answer
    const detail = `the status answers ${answer.statusCode} to ${options.path}`
    return yield* new NoStatus({ kind: answer.statusCode === 404 ? "absent" : "failed", detail })
  })

/** The parents of this user on this machine. */
export const local = (): ReadonlyArray<StatusSource> =>
  StatusAddress.sockets().map((socketPath) => ({
    name: socketPath,
    isLocal: true,
    open: (path) => answered({ socketPath, path })
  }))

const forwardRefused = (error: KubeError): NoStatus => {
  if (error.status === 403) return new NoStatus({ kind: "forbidden", detail: error.message })
  const isMissing = error.detail.includes("npm install")
  return new NoStatus({ kind: isMissing ? "uninstalled" : "failed", detail: error.detail })
}

/** A parent in a pod: through a port-forward, or directly from a process of the same pod. */
export const ofPod = (client: Cluster["Service"]["client"], pod: string): StatusSource => ({
  name: pod,
  isLocal: false,
  open: (path) =>
    client.self?.name === pod
      ? answered({ host: "127.0.0.1", port: StatusAddress.port, path })
      : Effect.flatMap(Effect.mapError(client.portForward(pod, StatusAddress.port), forwardRefused), (pipe: Duplex) =>
          answered({ createConnection: () => pipe, path })
        )
})

const decode = Schema.decodeUnknownEffect(StatusDocument)

/** The document in a text. A document of a newer version is refused: its fields may mean something else. */
export const documentOf = (text: string): Effect.Effect<StatusDocument, NoStatus> =>
  Effect.gen(function* () {
    const value = yield* Effect.try({ try: () => JSON.parse(text) as { version?: unknown } | null, catch: noStatus })
    const theirs = value?.version
    if (typeof theirs === "number" && theirs > version) {
      const detail = `the parent's status has version ${theirs}, and this program reads ${version}: use the effect-flame of the parent`
      return yield* new NoStatus({ kind: "failed", detail })
    }
    return yield* Effect.mapError(decode(value), (error) => new NoStatus({ kind: "failed", detail: error.message }))
  })

/** The body of an answer, as it arrives. */
const text = (answer: Http.IncomingMessage): Stream.Stream<string, NoStatus> =>
  Stream.fromAsyncIterable(answer as AsyncIterable<Uint8Array>, noStatus).pipe(Stream.decodeText())

/** The status of a parent now. */
export const read = (source: StatusSource): Effect.Effect<StatusDocument, NoStatus> =>
  Effect.scoped(
    Effect.flatMap(source.open("/status"), (answer) => Effect.flatMap(Stream.mkString(text(answer)), documentOf))
  )

/** The events of a parent, until its connection ends. */
export const events = (source: StatusSource): Stream.Stream<ServerEvent, NoStatus> =>
  Stream.unwrap(
    Effect.map(source.open("/events"), (answer) => {
      const reader = new EventReader()
      return Stream.flatMap(text(answer), (piece) => Stream.fromIterable(reader.push(piece)))
    })
  )

/** Lines of an answer, such as those of `/logs`. */
export const lines = (source: StatusSource, path: string): Stream.Stream<string, NoStatus> =>
  Stream.unwrap(Effect.map(source.open(path), (answer) => Stream.splitLines(text(answer))))
