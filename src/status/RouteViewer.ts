/**
 * The stream of a viewer on the app's own HTTP server.
 *
 * A server that closes waits until its open responses have ended. The stream of a viewer never ends by itself, so it would
 * hold the server open. This module ends it when the shutdown begins, or when its server stops accepting.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { Server } from "node:http"
import type { Socket } from "node:net"
import * as Shutdown from "../process/Shutdown.ts"
import { backlog } from "./StatusApi.ts"
import type { Send } from "./StatusFeed.ts"

/** Milliseconds between looks at a server, because Node has no event for a server that begins to close. */
const lookEvery = 250
/** Milliseconds that a viewer has to read the rest of its stream. */
const lastRead = 500

/** Servers that were seen accepting. A server that never listens gets its connections from elsewhere, and is not closing. */
const accepting = new WeakSet<Server>()

/** The connection of a request under Node with HTTP/1, and nothing elsewhere. */
const socketOf = ({ source }: HttpServerRequest.HttpServerRequest): (Socket & { server?: Server }) | undefined =>
  "socket" in source ? (source.socket as Socket) : undefined

/** Whether the process shuts down, or the server of a request has stopped accepting. */
export const isClosing = (request: HttpServerRequest.HttpServerRequest): boolean => {
  const server = socketOf(request)?.server
  if (server?.listening === true) accepting.add(server)
  return Shutdown.isSignalled() || (server?.listening === false && accepting.has(server))
}

const begun: Effect.Effect<void> = Effect.callback((resume) => {
  const remove = Shutdown.onBegin(() => resume(Effect.void))
  return Effect.sync(remove)
})

/** Completes when the process shuts down or the server of the request stops accepting. */
const closing = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<void> => {
  const look: Effect.Effect<void> = Effect.suspend(() =>
    isClosing(request) ? Effect.void : Effect.delay(look, lookEvery)
  )
  return Effect.map(Effect.raceFirst(begun, look), () => {
    // A viewer that has stopped reading would keep its response, and so the server, open.
    const socket = socketOf(request)
    if (socket !== undefined) setTimeout(() => socket.destroy(), lastRead).unref()
  })
}

/** The chunks that `open` sends. A viewer that reads too slowly misses chunks. */
export const stream = (
  request: HttpServerRequest.HttpServerRequest,
  open: (send: Send) => () => void
): Stream.Stream<Uint8Array> =>
  Stream.suspend(() => {
    let waiting = 0
    const chunks = Stream.callback<Uint8Array>((queue) => {
      const send: Send = (chunk) => {
        if (waiting > backlog) return false
        waiting += chunk.length
        return Queue.offerUnsafe(queue, chunk)
      }
      return Effect.acquireRelease(
        Effect.sync(() => open(send)),
        (close) => Effect.sync(close)
      )
    })
    const read = Stream.map(chunks, (chunk) => {
      waiting -= chunk.length
      return chunk
    })
    return Stream.interruptWhen(read, closing(request))
  })
