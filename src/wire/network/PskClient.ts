/** The connecting side: TLS over a byte stream to a peer that must prove the same key. */
import type { Duplex } from "node:stream"
import type * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { builtin } from "../../function/Builtin.ts"
import * as Psk from "./Psk.ts"
import { fromDuplex, type Transport } from "../Transport.ts"

/** A handshake failed. */
export class HandshakeFailed extends Schema.TaggedError<HandshakeFailed>()("HandshakeFailed", {
  /** Whether the peer refused, or is not the right one, so that a retry would not help. */
  refused: Schema.Boolean,
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

/** Connects to a peer that proves the key. Writes no data before the proof. */
export const secure = (
  stream: Duplex,
  identity: string,
  key: Uint8Array
): Effect.Effect<Tls.TLSSocket, HandshakeFailed> =>
  Effect.callback((resume) => {
    const failed = (refused: boolean, detail: string) => resume(Effect.fail(new HandshakeFailed({ refused, detail })))
    // A stream that has already ended reports no second end. A port-forward to a program that does not listen yet ends so
    // early.
    if (stream.destroyed) return failed(false, stream.errored?.message ?? "the connection was closed before")
    const socket = builtin("node:tls").connect({ ...Psk.clientOptions(identity, key), socket: stream })
    let cause: NodeJS.ErrnoException | undefined
    let isRefused = false
    // TLS reports only some events of the stream below it.
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
      failed(true, "the program that listens there did not prove that it has the key")
    })
    return Effect.sync(() => {
      socket.destroy()
      stream.destroy()
    })
  })

/**
 * Whether the peer has refused the handshake: by an alert, a certificate, or an answer that is not TLS. An error of the system
 * is no refusal, because a retry may succeed.
 */
const isRefusal = (error: NodeJS.ErrnoException): boolean =>
  error.code === "EPROTO" || (error.syscall === undefined && error.code !== "ECONNRESET")

/**
 * Makes the pipe to a runner that waits for its parent, over a stream to its port, such as a port-forward.
 *
 * Fails if the runner does not listen yet, and with `refused` if a retry cannot help. An interruption destroys the
 * stream.
 */
export const connectThrough = (
  stream: Duplex,
  { identity, key }: Psk.Credentials
): Effect.Effect<Transport, HandshakeFailed> => Effect.map(secure(stream, identity, Psk.bytesOf(key)), fromDuplex)
