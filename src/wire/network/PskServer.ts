/**
 * TLS by pre-shared keys for a process that others dial. Every connection passes `Strangers.ts` first.
 *
 * The server stores no keys and no sessions: its owner finds the key of an identity. A connection that the server hands on
 * has proven to have that key. The owners are `Listener.ts` in a parent, and `AwaitParent.ts` in a runner.
 */
import type { Socket } from "node:net"
import type * as Tls from "node:tls"
import { builtin } from "../../function/Builtin.ts"
import * as Psk from "./Psk.ts"
import { type Dismissal, type StrangerLimits, type Stranger, Strangers } from "./Strangers.ts"

export interface PskServerHandlers {
  /** The key of an identity, which is only what somebody claims at this point. */
  readonly find: (identity: string, address: string) => Uint8Array | undefined
  /** Somebody has proven to have that key, which is all that counts from here on. */
  readonly secure: (socket: Tls.TLSSocket, identity: string, address: string) => void
  /** A handshake ended before it was over; with the identity it claimed, if a key was found for that. */
  readonly refused: (address: string, identity: string | undefined) => void
  readonly dismissed: (address: string, why: Dismissal) => void
}

export class PskServer {
  private readonly handlers: PskServerHandlers
  private readonly strangers: Strangers
  private readonly tls: Tls.Server
  /** Identities that a key was found for; a handshake may ask for several, the last one is the one it goes on with. */
  private readonly claims = new WeakMap<Stranger, string>()

  constructor(limits: StrangerLimits, handlers: PskServerHandlers) {
    this.handlers = handlers
    this.strangers = new Strangers(limits, {
      // what was read of it is back in the socket, where TLS finds it
      hello: ({ socket }) => void this.tls.emit("connection", socket),
      dismissed: ({ address }, why) => handlers.dismissed(address, why),
      left: (stranger) => this.left(stranger)
    })
    this.tls = builtin("node:tls").createServer(Psk.serverOptions((identity, socket) => this.find(identity, socket)))
    this.tls.on("secureConnection", (socket) => this.secure(socket))
    // it is destroyed already, and told by the end of its connection
    this.tls.on("tlsClientError", () => {})
  }

  /** Connections that have proven nothing yet. */
  get strangerCount(): number {
    return this.strangers.size
  }

  /** Takes in a new connection. */
  accept(socket: Socket): void {
    this.strangers.add(socket)
  }

  /** Closes all connections that have proven nothing yet. */
  dismissStrangers(): void {
    this.strangers.dismissAll()
  }

  private left(stranger: Stranger): void {
    if (stranger.hasSpoken) this.handlers.refused(stranger.address, this.claims.get(stranger))
    else this.handlers.dismissed(stranger.address, "silent")
  }

  private find(identity: string, socket: Tls.TLSSocket): Uint8Array | undefined {
    const stranger = this.strangerOf(socket)
    if (stranger === undefined) return undefined
    const key = this.handlers.find(identity, stranger.address)
    if (key !== undefined) this.claims.set(stranger, identity)
    return key
  }

  /**
   * The stranger behind a TLS socket, by the socket below it: an address and a port may be those of a later connection.
   * `_parent` is no documented property of Node. Without it nobody gets in, which the tests would show at once.
   */
  private strangerOf(socket: Tls.TLSSocket & { readonly _parent?: Socket }): Stranger | undefined {
    return socket._parent === undefined ? undefined : this.strangers.find(socket._parent)
  }

  private secure(socket: Tls.TLSSocket): void {
    socket.on("error", () => {})
    const stranger = this.strangerOf(socket)
    const identity = stranger === undefined ? undefined : this.claims.get(stranger)
    // A handshake by a pre-shared key counts as a reused session. No other can succeed: this check is a second lock.
    if (stranger === undefined || identity === undefined || !socket.isSessionReused()) return void socket.destroy()
    this.strangers.release(stranger)
    this.handlers.secure(socket, identity, stranger.address)
  }
}
