/**
 * A pipe to a port on a pod's own loopback, over a WebSocket through the API server.
 *
 * The client library makes the connection. What it does beyond that is left out: it puts what arrives where nobody reads
 * fast enough, sends faster than the network takes, and does not tell that the connection has ended.
 */
import type { KubeConfig } from "@kubernetes/client-node"
import { Duplex } from "node:stream"
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Asked, broken, noAnswer, refused } from "./KubeAnswer.ts"
import type { KubeConnection } from "./KubeConnection.ts"
import type { KubeError } from "./KubeError.ts"

/** What it is to RBAC. */
export const asked: Asked = { verb: "create", resource: "pods/portforward" }

/** The part of the library's WebSocket that is used here. */
interface WebSocket {
  readonly on: (event: "close" | "error", listener: (cause: unknown) => void) => unknown
  readonly send: (data: Uint8Array, sent: (error?: Error | null) => void) => void
  readonly pause: () => void
  readonly resume: () => void
  readonly close: () => void
  readonly terminate: () => void
  readonly _socket?: Socket
}

const dataChannel = 0

/** Bytes of one message at most: all of it is in memory on the way, in the API server too. */
const maxMessage = 64 * 1024

/** The bytes of the data channel as a stream; an error of the error channel ends it. */
class Pipe extends Duplex {
  private socket: WebSocket | undefined
  /** Each channel begins with the number of the port. */
  private readonly begun = new Set<number>()

  constructor() {
    super({ allowHalfOpen: false })
    // a pod may refuse before anybody listens; who comes later finds it in `errored`
    this.on("error", () => {})
  }

  attach(socket: WebSocket): void {
    this.socket = socket
    // what the pod refuses with comes together with the answer to the upgrade
    if (this.destroyed) return socket.terminate()
    // a dead peer is noticed within 15 s, as it is with a runner that dials
    socket._socket?.setKeepAlive(true, 5000)
    socket._socket?.setNoDelay(true)
    socket.on("error", (cause) => this.destroy(cause instanceof Error ? cause : new Error(String(cause))))
    socket.on("close", () => {
      if (!this.destroyed) this.push(null)
    })
  }

  /** What has come over a channel. */
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
      // called when the kernel has it: no more than one message waits here
      socket.send(message, (error) => (error ? written(error) : next(to)))
    }
    next(0)
  }

  override _final(done: (error?: Error | null) => void): void {
    // no half of it can be closed; what was sent before goes first
    this.socket?.close()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.socket?.terminate()
    done(error)
  }
}

/** The library tells of a refused upgrade in words. */
const failed = (server: string, cause: unknown): KubeError => {
  const message = (cause as { readonly message?: string }).message ?? String(cause)
  const code = /Unexpected server response: (\d+)/.exec(message)?.[1]
  if (code !== undefined) return refused(asked, { status: Number(code), retryAfter: undefined, body: "" }, 0)
  const error = (cause as { readonly error?: unknown }).error
  return broken(asked, server, error instanceof Error ? error : new Error(message))
}

const dial = async (config: KubeConfig, path: string, pipe: Pipe): Promise<WebSocket> => {
  const { WebSocketHandler } = await import("@kubernetes/client-node/dist/web-socket-handler.js")
  const socket: unknown = await new WebSocketHandler(config).connect(path, null, (channel, bytes) => {
    pipe.arrived(channel, bytes)
    return true
  })
  return socket as WebSocket
}

/** Opens a pipe, which ends with the scope; one that the pod refuses opens too, and ends with an error at once. */
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
        // interrupted while it was made: the library cannot be told before
        if (signal.aborted) socket.terminate()
        else pipe.attach(socket)
        return (made = pipe)
      },
      catch: (cause) => failed(connection.server, cause)
    })
  const configured = Effect.mapError(Effect.all([connection.credentials, connection.library]), ({ detail }) =>
    noAnswer(asked, "NoCredentials", detail, false)
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
