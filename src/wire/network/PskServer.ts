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
  /** Returns the key of an identity, which is only a claim at this point. */
  readonly find: (identity: string, address: string) => Uint8Array | undefined
  /** Called when a peer has proven that key. */
  readonly secure: (socket: Tls.TLSSocket, identity: string, address: string) => void
  /** Called when a handshake failed. `identity` is the claimed one, if a key was found for it. */
  readonly refused: (address: string, identity: string | undefined) => void
  readonly dismissed: (address: string, why: Dismissal) => void
}

export class PskServer {
  private readonly handlers: PskServerHandlers
  private readonly strangers: Strangers
  private readonly tls: Tls.Server
  /** Identities for which a key was found. A handshake may ask for several, and continues with the last. */
  private readonly claims = new WeakMap<Stranger, string>()

  constructor(limits: StrangerLimits, handlers: PskServerHandlers) {
    this.handlers = handlers
    this.strangers = new Strangers(limits, {
      // The bytes that were read are back in the socket, where TLS reads them.
      hello: ({ socket }) => void this.tls.emit("connection", socket),
      dismissed: ({ address }, why) => handlers.dismissed(address, why),
      left: (stranger) => this.left(stranger)
    })
    this.tls = builtin("node:tls").createServer(Psk.serverOptions((identity, socket) => this.find(identity, socket)))
    this.tls.on("secureConnection", (socket) => this.secure(socket))
    // The connection is destroyed already, and its end reports the failure.
    this.tls.on("tlsClientError", () => {})
  }

  /** The number of connections that have proven nothing yet. */
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
   * Finds the stranger behind a TLS socket by the socket below it, because a later connection may have the same address
   * and port. `_parent` is an undocumented property of Node. Without it no connection succeeds, which the tests would
   * show at once.
   */
  private strangerOf(socket: Tls.TLSSocket & { readonly _parent?: Socket }): Stranger | undefined {
    return socket._parent === undefined ? undefined : this.strangers.find(socket._parent)
  }

  private secure(socket: Tls.TLSSocket): void {
    socket.on("error", () => {})
    const stranger = this.strangerOf(socket)
    const identity = stranger === undefined ? undefined : this.claims.get(stranger)
    // A handshake by a pre-shared key counts as a reused session. No other handshake
    // can succeed: this check is only a second safeguard.
    if (stranger === undefined || identity === undefined || !socket.isSessionReused()) return void socket.destroy()
    this.strangers.release(stranger)
    this.handlers.secure(socket, identity, stranger.address)
  }
}
