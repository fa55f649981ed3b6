/**
 * Coalesces every write() made in one turn of the event loop into a single writev(2).
 * `when` picks the flush point: nextTick (default), microtask, or setImmediate.
 */
import { NodeSocket } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"
import { Socket, SocketServer } from "effect/socket"
import * as net from "node:net"
import type { Duplex } from "node:stream"

export type When = "tick" | "micro" | "imm" | "first"
const schedule = {
  first: process.nextTick,
  tick: process.nextTick,
  micro: queueMicrotask,
  imm: setImmediate
} as Record<When, (f: () => void) => void>

export const autoCork = <D extends Duplex>(conn: D, when: When = "tick"): D => {
  const write = conn.write
  const later = schedule[when]
  let corked = false
  const uncork = () => {
    corked = false
    conn.uncork()
  }
  conn.write = function (this: D, ...args: Array<any>) {
    if (!corked) {
      corked = true
      if (when === "first") {
        const r = (write as any).apply(conn, args)
        conn.cork()
        later(uncork)
        return r
      } // first frame leaves now, the rest of the turn is coalesced
      conn.cork()
      later(uncork)
    }
    return (write as any).apply(conn, args)
  } as any
  return conn
}

/** Same as NodeSocket.makeNet but with auto-corking and TCP_NODELAY. */
export const makeNet = (options: net.NetConnectOpts, when?: When): Effect.Effect<Socket.Socket> =>
  NodeSocket.fromDuplex(
    Effect.callback<net.Socket, Socket.SocketError>((resume) => {
      const conn = net.createConnection(options)
      conn.setNoDelay(true)
      conn.once("connect", () => resume(Effect.succeed(autoCork(conn, when))))
      conn.on("error", (cause) =>
        resume(Effect.fail(new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })))
      )
      return Effect.sync(() => conn.destroy())
    }).pipe(
      Effect.tap((conn) =>
        Effect.addFinalizer(() =>
          Effect.sync(() => {
            conn.destroySoon()
          })
        )
      )
    )
  )

export const layerNet = (options: net.NetConnectOpts, when?: When) =>
  Layer.effect(Socket.Socket)(makeNet(options, when))

/** Wraps any SocketServer so that accepted Node sockets are auto-corked. */
export const layerServerAutoCork =
  (when?: When) =>
  <E, R>(self: Layer.Layer<SocketServer.SocketServer, E, R>) =>
    Layer.effect(SocketServer.SocketServer)(
      Effect.map(SocketServer.SocketServer, (server) =>
        SocketServer.SocketServer.of({
          address: server.address,
          run: (handler) =>
            server.run((socket) =>
              Effect.flatMap(Effect.context<never>(), (ctx) => {
                const conn = Context.getOrUndefined(ctx as Context.Context<any>, NodeSocket.NetSocket)
                if (conn) {
                  conn.setNoDelay(true)
                  autoCork(conn, when)
                }
                return handler(socket)
              })
            )
        })
      )
    ).pipe(Layer.provide(self))
