/**
 * The runner's side of dialling: tries the parent's addresses until one proves to have the key, and keeps both
 * connections.
 *
 *   TCP ──▶ TLS ──verified──▶ token ──▶ the session, and beside it the second connection with that token as its key
 */
import type * as Net from "node:net"
import type { TLSSocket } from "node:tls"
import * as Effect from "effect/Effect"
import { NeverConnected } from "../../error/BootFailure.ts"
import { builtin } from "../../function/Builtin.ts"
import { pauseAfter } from "../../time/RetryPause.ts"
import { type Address, parse, shown } from "./Addresses.ts"
import * as Psk from "./Psk.ts"
import { HandshakeFailed, secure } from "./PskClient.ts"
import * as SilentConnection from "./SilentConnection.ts"
import { fromDuplex, type Transport } from "../Transport.ts"

export interface DialOptions extends Psk.Credentials {
  /** Addresses of the parent, as `10.1.2.3:9345` or `[fd00::1]:9345`, separated by commas. */
  readonly addresses: string
  /** Milliseconds to keep trying. */
  readonly patience: number
}

/** Milliseconds that an address may take to answer, and then to prove its key. */
const tcpTimeout = 3_000
const tlsTimeout = 5_000

/** The pause between two rounds over all addresses, in milliseconds. */
const pauses = { first: 75, longest: 1_500 }

/** Connects to the parent. Rejects with `NeverConnected` if no address proves to be the parent in time. */
export const dialParent = (options: DialOptions, signal?: AbortSignal): Promise<Transport> =>
  Effect.runPromise(
    Effect.map(connect(options), ({ address, socket, token }) => {
      accompany(address, options.identity, socket, token)
      return fromDuplex(socket)
    }),
    signal === undefined ? {} : { signal }
  )

interface Connected {
  readonly address: Address
  readonly socket: TLSSocket
  readonly token: Buffer
}

const connect = Effect.fnUntraced(function* ({ addresses, identity, key, patience }: DialOptions) {
  const began = process.uptime()
  const all = parse(addresses)
  const said = new Map<Address, string>()
  const refused = new Set<Address>()
  const psk = Psk.bytesOf(key)
  const give = (): NeverConnected => {
    const tried = all.map((address) => `${shown(address)} (${said.get(address) ?? "no answer yet"})`).join(", ")
    const hint = refused.size === all.length ? refusedHint : unreachableHint
    const after = Math.round((process.uptime() - began) * 1_000)
    return new NeverConnected({
      phase: "started",
      hint: all.length === 0 ? `it was given no address of its parent: ${addresses}` : `its parent at ${tried} ${hint}`,
      after
    })
  }
  const rounds = Effect.gen(function* () {
    for (let round = 1; refused.size < all.length; round++) {
      for (const address of all) {
        if (refused.has(address)) continue
        const result = yield* Effect.result(attempt(address, identity, psk))
        if (result._tag === "Success") return result.success
        said.set(address, result.failure.detail)
        if (result.failure.refused) refused.add(address)
      }
      if (refused.size < all.length) yield* Effect.sleep(pauseAfter(round, pauses, Math.random()))
    }
    return yield* Effect.fail(give())
  })
  return yield* Effect.timeoutOrElse(rounds, {
    duration: patience,
    orElse: () => Effect.suspend(() => Effect.fail(give()))
  })
})

const refusedHint = "does not know its key: an earlier parent may listen there, or another program in between"
const unreachableHint = "could not be reached: does a NetworkPolicy or a service mesh keep this port from it?"

/**
 * Connects, proves the key, and waits for the token of the parent.
 *
 * The attempt succeeds only with the token. A parent with too many connections may close this one after the runner's half
 * of the handshake. The key is then still unused, so that the next attempt may succeed.
 */
const attempt = Effect.fnUntraced(function* (address: Address, identity: string, key: Uint8Array) {
  const stream = yield* open(address)
  const socket = yield* within(secure(stream, identity, key), tlsTimeout, stream)
  const token = yield* within(readToken(socket), tlsTimeout, socket)
  return { address, socket, token } satisfies Connected
})

const lost = (detail: string) => new HandshakeFailed({ refused: false, detail })

const within = <A>(effect: Effect.Effect<A, HandshakeFailed>, millis: number, socket: Net.Socket) =>
  Effect.timeoutOrElse(effect, {
    duration: millis,
    orElse: () =>
      Effect.suspend(() => {
        socket.destroy()
        return Effect.fail(lost(`no handshake within ${millis} ms`))
      })
  })

const open = (address: Address): Effect.Effect<Net.Socket, HandshakeFailed> =>
  Effect.callback((resume) => {
    const socket = builtin("node:net").connect({ ...address, ...SilentConnection.keepAlive })
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${tcpTimeout} ms`)), tcpTimeout)
    socket.on("error", (error) => {
      clearTimeout(timer)
      resume(Effect.fail(lost(error.message)))
    })
    socket.once("connect", () => {
      clearTimeout(timer)
      resume(Effect.succeed(socket))
    })
    return Effect.sync(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  })

const readToken = (socket: TLSSocket): Effect.Effect<Buffer, HandshakeFailed> =>
  Effect.callback((resume) => {
    const read = () => {
      const token: Buffer | null = socket.read(SilentConnection.tokenSize)
      if (token?.length !== SilentConnection.tokenSize) return
      forget()
      resume(Effect.succeed(token))
    }
    const closed = () => {
      forget()
      resume(Effect.fail(lost("the connection was closed after the handshake")))
    }
    const forget = () => {
      socket.removeListener("readable", read)
      socket.removeListener("close", closed)
    }
    socket.on("readable", read)
    socket.once("close", closed)
    return Effect.sync(() => {
      forget()
      socket.destroy()
    })
  })

/** Opens the second connection beside the session. Ends the session if that fails. */
const accompany = (address: Address, identity: string, first: TLSSocket, token: Buffer): void => {
  const second = Effect.gen(function* () {
    for (;;) {
      const result = yield* Effect.result(
        Effect.flatMap(open(address), (stream) =>
          within(secure(stream, identity + SilentConnection.suffix, token), tlsTimeout, stream)
        )
      )
      if (result._tag === "Success") return SilentConnection.tie(first, result.success)
      if (result.failure.refused) return void first.destroy(new Error(`no second connection: ${result.failure.detail}`))
      yield* Effect.sleep(pauseAfter(1, pauses, Math.random()))
    }
  })
  const fiber = Effect.runFork(second)
  const stop = () => fiber.interruptUnsafe()
  first.once("close", stop)
  fiber.addObserver(() => first.removeListener("close", stop))
}
