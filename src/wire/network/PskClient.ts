/** The side that connects: TLS over a byte stream to somebody who must prove to have the same key. */
import type { Duplex } from "node:stream"
import type * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { builtin } from "../../function/Builtin.ts"
import * as Psk from "./Psk.ts"
import { fromDuplex, type Transport } from "../Transport.ts"

/** A handshake did not come to its end. */
export class HandshakeFailed extends Schema.TaggedError<HandshakeFailed>()("HandshakeFailed", {
  /** Whether the other side said no, or is not who it should be: trying again would not help. */
  refused: Schema.Boolean,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** A connection to somebody who has proven to have the key; nothing of ours is written before. */
export const secure = (
  stream: Duplex,
  identity: string,
  key: Uint8Array
): Effect.Effect<Tls.TLSSocket, HandshakeFailed> =>
  Effect.callback((resume) => {
    const failed = (refused: boolean, detail: string) => resume(Effect.fail(new HandshakeFailed({ refused, detail })))
    // what has ended before will not tell so again: a port-forward to a program that does not listen yet
    if (stream.destroyed) return failed(false, stream.errored?.message ?? "the connection was closed before")
    const socket = builtin("node:tls").connect({ ...Psk.clientOptions(identity, key), socket: stream })
    let cause: NodeJS.ErrnoException | undefined
    let isRefused = false
    // TLS tells only some of what happens to what is below it
    stream.on("error", (error) => {
      cause ??= error
    })
    socket.on("error", (error) => {
      if (cause === undefined) isRefused = isRefusal(error)
      cause ??= error
    })
    const closed = () => failed(isRefused, cause?.message ?? "the connection was closed during the handshake")
    socket.once("close", closed)
    socket.once("secureConnect", () => {
      socket.removeListener("close", closed)
      if (Psk.isAuthentic(socket)) return resume(Effect.succeed(socket))
      socket.destroy()
      failed(true, "what listens there did not prove to have the key")
    })
    return Effect.sync(() => {
      socket.destroy()
      stream.destroy()
    })
  })

// an alert of the other side, a certificate, an answer that is no TLS; what the system says may be better next time
const isRefusal = (error: NodeJS.ErrnoException): boolean =>
  error.code === "EPROTO" || (error.syscall === undefined && error.code !== "ECONNRESET")

/**
 * The pipe to a runner that waits for its parent, over a stream to its port such as that of a port-forward.
 *
 * Fails where the runner is not there yet, with `refused` where it will never be. Interrupted it destroys the stream.
 */
export const connectThrough = (
  stream: Duplex,
  { identity, key }: Psk.Credentials
): Effect.Effect<Transport, HandshakeFailed> => Effect.map(secure(stream, identity, Psk.bytesOf(key)), fromDuplex)
