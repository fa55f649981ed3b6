/**
 * A pipe to a port on a pod's own loopback, over a WebSocket through the API server.
 *
 * The client library opens the WebSocket. Its own port-forward is not used: it has no backpressure in either direction, and
 * does not report the end of the connection.
 */
import { Duplex } from "node:stream"
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Asked, broken, noAnswer, refused } from "./KubeAnswer.ts"
import { type KubeConfig, type WebSocket, webSockets } from "./ClientLibrary.ts"
import type { KubeConnection } from "./KubeConnection.ts"
import type { KubeError } from "./KubeError.ts"

/** The request in the words of RBAC. */
export const asked: Asked = { verb: "create", resource: "pods/portforward" }

const dataChannel = 0

/** Bytes of one message, at most. A message is in memory as a whole, in the API server too. */
const maxMessage = 64 * 1024

/** A WebSocket, with its socket below: that field is internal to the library. */
type Opened = WebSocket & { readonly _socket?: Socket }

/** The bytes of the data channel as a stream. A message on the error channel destroys the stream. */
class Pipe extends Duplex {
  private socket: WebSocket | undefined
  /** Channels whose first two bytes, the number of the port, have been skipped. */
  private readonly begun = new Set<number>()

  constructor() {
    super({ allowHalfOpen: false })
    // The pod may refuse before the user of the pipe listens, who then finds the error in `errored`.
    this.on("error", () => {})
  }

  attach(socket: Opened): void {
    this.socket = socket
    // A pod's refusal arrives together with the answer to the upgrade.
    if (this.destroyed) return socket.terminate()
    // A dead peer is noticed within 15 s, as with a runner that dials.
    socket._socket?.setKeepAlive(true, 5000)
    socket._socket?.setNoDelay(true)
    socket.on("error", (cause) => this.destroy(cause instanceof Error ? cause : new Error(String(cause))))
    socket.on("close", () => {
      if (!this.destroyed) this.push(null)
    })
  }

  /** Takes bytes of a channel. */
  arrived(channel: number, bytes: Buffer): void {
    const body = this.begun.has(channel) ? bytes : bytes.subarray(2)
    this.begun.add(channel)
    if (body.length === 0 || this.destroyed) return
    if (channel !== dataChannel) this.destroy(new Error(body.toString().trim()))
    else if (!this.push(body)) this.socket?.pause()
  }

  override _read(): void {
    this.socket?.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, written: (error?: Error | null) => void): void {
    const socket = this.socket!
    const next = (from: number): void => {
      if (from >= chunk.length) return written()
      const to = Math.min(chunk.length, from + maxMessage)
      const message = Buffer.allocUnsafe(1 + to - from)
      message[0] = dataChannel
      chunk.copy(message, 1, from, to)
      // The callback runs when the kernel has the message, so at most one message waits here.
      socket.send(message, (error) => (error ? written(error) : next(to)))
    }
    next(0)
  }

  override _final(done: (error?: Error | null) => void): void {
    // A WebSocket has no half-close. Messages that were sent before are delivered first.
    this.socket?.close()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket?.terminate()
    done(error)
  }
}

/** The error of a refused upgrade: the library reports the status in its message only. */
const failed = (server: string, cause: unknown): KubeError => {
  const message = (cause as { readonly message?: string }).message ?? String(cause)
  const code = /Unexpected server response: (\d+)/.exec(message)?.[1]
  if (code !== undefined) return refused(asked, { status: Number(code), retryAfter: undefined, body: "" }, 0, server)
  const error = (cause as { readonly error?: unknown }).error
  return broken(asked, server, error instanceof Error ? error : new Error(message))
}

const dial = async (config: KubeConfig, path: string, pipe: Pipe): Promise<Opened> => {
  const { WebSocketHandler } = await Effect.runPromise(webSockets)
  const socket: unknown = await new WebSocketHandler(config).connect(path, null, (channel, bytes) => {
    pipe.arrived(channel, bytes)
    return true
  })
  return socket as Opened
}

/** Opens a pipe, which ends with the scope. A pipe that the pod refuses opens too, and is destroyed at once. */
export const open: (
  connection: KubeConnection,
  pod: string,
  port: number
) => Effect.Effect<Duplex, KubeError, Scope.Scope> = Effect.fnUntraced(function* (connection, pod, port) {
  const namespace = encodeURIComponent(connection.namespace)
  const path = `/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(pod)}/portforward?ports=${port}`
  let made: Pipe | undefined
  yield* Effect.addFinalizer(() => Effect.sync(() => void made?.destroy()))
  const connect = (config: KubeConfig) =>
    Effect.tryPromise({
      try: async (signal) => {
        const pipe = new Pipe()
        const socket = await dial(config, path, pipe)
        // The library cannot be interrupted while it connects.
        if (signal.aborted) socket.terminate()
        else pipe.attach(socket)
        return (made = pipe)
      },
      catch: (cause) => failed(connection.server, cause)
    })
  const configured = Effect.mapError(Effect.all([connection.credentials, connection.library]), ({ detail }) =>
    noAnswer(asked, "NoCredentials", detail, false, connection.server)
  )
  return yield* Effect.flatMap(configured, ([{ generation }, config]) =>
    Effect.catchIf(
      connect(config),
      ({ status }) => status === 401,
      () =>
        Effect.andThen(
          connection.refresh(generation),
          Effect.flatMap(configured, ([, fresh]) => connect(fresh))
        )
    )
  )
})
