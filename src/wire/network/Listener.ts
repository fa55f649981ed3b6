/**
 * The parent's port that runners dial. Each key admits one session.
 *
 * A connection passes three gates: `Strangers.ts` limits connections that have proven nothing, `PskServer.ts` makes them
 * prove a key by TLS, and this module admits each key once.
 *
 *   expect ──▶ expected ──authenticated──▶ used: the session, and its silent second connection within 5 s
 */
import { randomBytes } from "node:crypto"
import * as Net from "node:net"
import type { TLSSocket } from "node:tls"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { printableLine } from "../../error/PeerText.ts"
import { makeComplaints, type Seen, Sightings } from "./Complaints.ts"
import * as Psk from "./Psk.ts"
import { PskServer } from "./PskServer.ts"
import * as SilentConnection from "./SilentConnection.ts"
import { fromDuplex, type Transport } from "../Transport.ts"
import { defaults, fairTimeout, type StrangerLimits } from "./Strangers.ts"

export type { Seen } from "./Complaints.ts"

/** The parent cannot listen on the port for runners. */
export class ListenFailed extends Schema.TaggedError<ListenFailed>()("ListenFailed", {
  port: Schema.Int,
  code: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return this.code === "EADDRINUSE"
      ? `port ${this.port}, to which runners dial back, is taken: another process or container here listens on it; set the option \`port\` to another one for each`
      : `it is not possible to listen on port ${this.port}, to which runners dial back: ${this.detail}; set the option \`port\` to another one`
  }
}

export interface ListenerOptions {
  /** The master key; see `Psk.makeMaster`. */
  readonly master: Redacted.Redacted<Uint8Array>
  /** Identity of this life of the parent. */
  readonly life: string
  /** The address to listen on. Default: all addresses of this machine, IPv4 and IPv6. */
  readonly host?: string
  /** The port. Default 9345. 0 means any free port. */
  readonly port?: number
  /** Whether any free port may be used if the port is taken. Default false. */
  readonly orAnyPort?: boolean
  readonly limits?: Partial<StrangerLimits>
}

/** The session for which a key is valid. */
export interface Admission {
  readonly identity: string
  readonly key: Redacted.Redacted<string>
  /** The byte pipe to the runner, once it has dialled back, proven its key, and opened its second connection. */
  readonly transport: Effect.Effect<Transport>
  /** How far the runner has got. Connections from its address count too, if the address is known. */
  readonly seen: (address?: string) => Seen
  /** Ends the session, and prevents one that has not begun. */
  readonly revoke: () => void
}

/** Counts of connections since the port was opened. */
export interface Counters {
  /** Connections that have proven a key. Each session has two. */
  authenticated: number
  /** Refused connections: keys that are wrong, unknown or used up, and malformed handshakes. */
  refused: number
  /** Disconnected connections: too many at once, silent or slow for too long, not TLS. */
  crowded: number
  silent: number
  slow: number
  garbage: number
  /** Sessions that were ended because their second connection did not arrive. */
  unaccompanied: number
}

export interface Listener {
  readonly port: number
  readonly keyOf: (index: number) => Redacted.Redacted<string>
  /** Expects the runner with that index. Its key is valid for one session from now on. Each index can be used once. */
  readonly expect: (index: number) => Admission
  readonly counters: Readonly<Counters>
}

/** The default port of the parent, fixed so that NetworkPolicies and service meshes can name it. */
export const defaultPort = 9345

/** An expected runner, or the second connection of its session. */
interface Expected {
  readonly key: Uint8Array
  readonly admit: (socket: TLSSocket) => void
  readonly wasRefused: () => void
}

class Door {
  readonly counters: Counters = {
    authenticated: 0,
    refused: 0,
    crowded: 0,
    silent: 0,
    slow: 0,
    garbage: 0,
    unaccompanied: 0
  }
  private readonly expected = new Map<string, Expected>()
  private readonly sessions = new Set<TLSSocket>()
  /** The highest expected index. */
  private highest = -1
  private readonly sightings = new Sightings()
  private readonly options: ListenerOptions
  private readonly limits: StrangerLimits
  private readonly server: PskServer
  private readonly complain: (address: string, detail: string) => void

  constructor(options: ListenerOptions, complain: (address: string, detail: string) => void) {
    this.options = options
    this.complain = complain
    this.limits = { ...defaults, ...options.limits }
    this.server = new PskServer(this.limits, {
      find: (identity, address) => this.find(identity, address),
      secure: (socket, identity, address) => this.secure(socket, identity, address),
      refused: (address, identity) => this.refused(address, identity),
      dismissed: (address, why) => {
        this.counters[why]++
        this.sightings.note(address, "tcp")
      }
    })
  }

  readonly accept = (socket: Net.Socket): void => this.server.accept(socket)

  expect(index: number): Admission {
    const { life, master } = this.options
    this.highest = Math.max(this.highest, index)
    const identity = Psk.identityOf(life, index)
    const key = Psk.keyOf(master, life, index)
    const since = performance.now()
    const transport: Deferred.Deferred<Transport> = Deferred.makeUnsafe()
    let session: TLSSocket | undefined
    let isRefused = false
    this.expected.set(identity, {
      key: Psk.bytesOf(key),
      admit: (socket) => {
        session = socket
        this.begin(identity, socket, () => Deferred.doneUnsafe(transport, Exit.succeed(fromDuplex(socket))))
      },
      wasRefused: () => {
        isRefused = true
      }
    })
    return {
      identity,
      key,
      transport: Deferred.await(transport),
      seen: (address) => {
        if (session !== undefined) return "authenticated"
        if (isRefused) return "tls refused"
        return address === undefined ? "nothing" : this.sightings.since(address, since)
      },
      revoke: () => {
        if (session === undefined) this.expected.delete(identity)
        session?.destroy()
      }
    }
  }

  closeDoor(): void {
    this.expected.clear()
    this.server.dismissStrangers()
    for (const socket of this.sessions) socket.destroy()
  }

  private find(identity: string, address: string): Uint8Array | undefined {
    const expected = this.expected.get(identity)
    if (expected === undefined && !this.isLate(identity)) this.complain(address, this.strange(identity))
    return expected?.key
  }

  /**
   * Whether this is the second connection of a session that has ended meanwhile. Such a connection is late, not hostile, so
   * it is not logged.
   */
  private isLate(identity: string): boolean {
    const { life } = this.options
    if (!identity.startsWith(`${life}.`) || !identity.endsWith(SilentConnection.suffix)) return false
    return Number(identity.slice(life.length + 1, -SilentConnection.suffix.length)) <= this.highest
  }

  private strange(identity: string): string {
    return identity.startsWith(`${this.options.life}.`)
      ? `the key ${shown(identity)} was used before, or given up`
      : `there is no key ${shown(identity)} here`
  }

  private secure(socket: TLSSocket, identity: string, address: string): void {
    const expected = this.expected.get(identity)
    // Two handshakes with one key at once: the first has used the key.
    if (expected === undefined) {
      this.counters.refused++
      if (!this.isLate(identity)) this.complain(address, this.strange(identity))
      return void socket.destroy()
    }
    this.counters.authenticated++
    this.expected.delete(identity)
    this.sessions.add(socket)
    socket.once("close", () => this.sessions.delete(socket))
    expected.admit(socket)
  }

  /**
   * Sends the token, and waits for the second connection. No call may be sent before: a function that computes would keep
   * the runner from opening the second connection. A session that ends during the wait is passed on all the same.
   */
  private begin(identity: string, first: TLSSocket, ready: () => void): void {
    const token = randomBytes(SilentConnection.tokenSize)
    const second = identity + SilentConnection.suffix
    first.write(token)
    const { timeout } = this.limits
    const timer = fairTimeout(timeout, () => {
      this.counters.unaccompanied++
      first.destroy(new Error(`its second connection did not come within ${timeout} ms`))
    })
    const expected: Expected = {
      key: token,
      admit: (silent) => {
        clearTimeout(timer)
        SilentConnection.tie(first, silent)
        ready()
      },
      wasRefused: () => {}
    }
    this.expected.set(second, expected)
    first.once("close", () => {
      clearTimeout(timer)
      if (this.expected.get(second) === expected) this.expected.delete(second)
      ready()
    })
  }

  private refused(address: string, identity: string | undefined): void {
    this.counters.refused++
    this.sightings.note(address, "tls refused")
    if (identity === undefined || this.isLate(identity)) return
    this.expected.get(identity)?.wasRefused()
    this.complain(address, `a handshake by the key ${shown(identity)} was not completed`)
  }
}

/** The identity that a stranger claims, for a log line. */
const shown = (identity: string): string => JSON.stringify(printableLine(identity, 80))

/** Listens for runners until its scope ends, which ends their sessions too. */
export const make: (options: ListenerOptions) => Effect.Effect<Listener, ListenFailed, Scope.Scope> = Effect.fnUntraced(
  function* (options) {
    const door = new Door(options, yield* makeComplaints("a connection to the port for runners was refused"))
    const { host, orAnyPort = false, port = defaultPort } = options
    yield* Effect.addFinalizer(() => Effect.sync(() => door.closeDoor()))
    const server = yield* listen(door.accept, host, port).pipe(
      Effect.catch((error) =>
        orAnyPort && error.code === "EADDRINUSE" ? listen(door.accept, host, 0) : Effect.fail(error)
      )
    )
    return {
      port: (server.address() as Net.AddressInfo).port,
      keyOf: (index) => Psk.keyOf(options.master, options.life, index),
      expect: (index) => door.expect(index),
      counters: door.counters
    }
  }
)

const listen = (
  accept: (socket: Net.Socket) => void,
  host: string | undefined,
  port: number
): Effect.Effect<Net.Server, ListenFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Net.Server, ListenFailed>((resume) => {
      const server = Net.createServer({ ...SilentConnection.keepAlive, highWaterMark: defaults.buffered }, accept)
      server.on("error", (error: NodeJS.ErrnoException) => {
        // Once the port listens, an error only means that a connection could not be accepted.
        resume(Effect.fail(new ListenFailed({ port, code: error.code ?? "", detail: error.message })))
      })
      // Without a host both families are used if there are two. Exclusive, because a worker of node:cluster would share
      // the port with its siblings.
      server.listen({ ...(host === undefined ? {} : { host }), port, exclusive: true, backlog: 1_024 }, () =>
        resume(Effect.succeed(server))
      )
    }),
    (server) => Effect.sync(() => server.close())
  )
