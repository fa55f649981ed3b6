/**
 * The runner's half of the key handshake, without Effect: dials the parent, or waits at a port of its own loopback.
 *
 * `wire/network/DialParent.ts` and `AwaitParent.ts` do the same for runners that have their code already.
 */
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import { builtin } from "../../function/Builtin.ts"
import { type Address, parse, shown } from "../../wire/network/Addresses.ts"
import { admitParent } from "../../wire/network/ParentPort.ts"
import * as Psk from "../../wire/network/Psk.ts"
import * as SilentConnection from "../../wire/network/SilentConnection.ts"
import { neverConnected } from "./Failure.ts"

/** Milliseconds that an address may take to accept a connection, and then to prove its key. */
const tcpTimeout = 3_000
const tlsTimeout = 5_000

/** Milliseconds between two rounds over all addresses: the first pause, doubled up to the longest. */
const firstPause = 75
const longestPause = 1_500

/** The way to the parent, from the variables of the role. */
export interface Way {
  readonly address: string
  readonly listen: string
  readonly identity: string
  readonly key: string
  /** Milliseconds until the attempt fails. */
  readonly patience: number
}

class Refused extends Error {}

/** The authenticated connection to the parent. Rejects with the cause of the failed boot. */
export const connect = (way: Way): Promise<TLSSocket> => (way.address === "" ? awaitParent(way) : dial(way))

const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

const dial = async ({ address, identity, key, patience }: Way): Promise<TLSSocket> => {
  const end = performance.now() + patience
  const psk = Buffer.from(key, "base64url")
  const addresses = parse(address)
  const said = new Map<Address, string>()
  const refused = new Set<Address>()
  for (let wait = firstPause; ; wait = Math.min(longestPause, wait * 2)) {
    for (const each of addresses) {
      if (refused.has(each)) continue
      try {
        return await session(each, identity, psk)
      } catch (error) {
        said.set(each, (error as Error).message)
        if (error instanceof Refused) refused.add(each)
      }
    }
    if (refused.size < addresses.length && performance.now() + wait < end) {
      await pause(wait * (0.8 + 0.4 * Math.random()))
      continue
    }
    const tried = addresses.map((each) => `${shown(each)} (${said.get(each) ?? "no answer"})`).join(", ")
    throw neverConnected(
      addresses.length === 0
        ? `it was given no address of its parent: ${address}`
        : refused.size === addresses.length
          ? `its parent at ${tried} does not know its key: an earlier parent may listen there, or another program in between`
          : `its parent at ${tried} could not be reached: does a NetworkPolicy or a service mesh keep this port from it?`
    )
  }
}

/** Both connections of a session: the first with the key, and the silent one with the token that the parent sends. */
const session = async (address: Address, identity: string, key: Buffer): Promise<TLSSocket> => {
  const first = await secure(await open(address), identity, key)
  const token = await readToken(first)
  void accompany(address, identity, first, token)
  return first
}

const accompany = async (address: Address, identity: string, first: TLSSocket, token: Buffer): Promise<void> => {
  while (!first.destroyed) {
    try {
      const silent = await secure(await open(address), identity + SilentConnection.suffix, token)
      return SilentConnection.tie(first, silent)
    } catch (error) {
      if (error instanceof Refused) return void first.destroy(error)
      await pause(firstPause)
    }
  }
}

const open = (address: Address): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = builtin("node:net").connect({ ...address, ...SilentConnection.keepAlive })
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${tcpTimeout} ms`)), tcpTimeout)
    socket.on("error", (error) => {
      clearTimeout(timer)
      reject(error)
    })
    socket.once("connect", () => {
      clearTimeout(timer)
      resolve(socket)
    })
  })

const secure = (stream: Socket, identity: string, key: Buffer): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const socket = builtin("node:tls").connect({ ...Psk.clientOptions(identity, key), socket: stream })
    const timer = setTimeout(() => socket.destroy(new Error(`no handshake within ${tlsTimeout} ms`)), tlsTimeout)
    let cause: NodeJS.ErrnoException | undefined
    let isRefused = false
    stream.on("error", (error) => {
      cause ??= error
    })
    socket.on("error", (error: NodeJS.ErrnoException) => {
      // An alert of the peer, or an answer that is not TLS. Errors of the system may pass.
      if (cause === undefined) isRefused = error.code === "EPROTO"
      cause ??= error
    })
    const closed = () => {
      clearTimeout(timer)
      const message = cause?.message ?? "the connection was closed during the handshake"
      reject(isRefused ? new Refused(message) : new Error(message))
    }
    socket.once("close", closed)
    socket.once("secureConnect", () => {
      clearTimeout(timer)
      socket.removeListener("close", closed)
      if (Psk.isAuthentic(socket)) return resolve(socket)
      socket.destroy()
      reject(new Refused("the program that listens there did not prove that it has the key"))
    })
  })

const readToken = (socket: TLSSocket): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const read = () => {
      const token: Buffer | null = socket.read(SilentConnection.tokenSize)
      if (token?.length !== SilentConnection.tokenSize) return
      forget()
      resolve(token)
    }
    const closed = () => {
      forget()
      reject(new Error("the connection was closed after the handshake"))
    }
    const timer = setTimeout(() => socket.destroy(), tlsTimeout)
    const forget = () => {
      clearTimeout(timer)
      socket.removeListener("readable", read)
      socket.removeListener("close", closed)
    }
    socket.on("readable", read)
    socket.once("close", closed)
  })

const awaitParent = ({ identity, key, listen, patience }: Way): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    admitParent(
      { identity, key: Buffer.from(key, "base64url"), port: Number(listen), patience },
      { admitted: resolve, failed: (hint) => reject(neverConnected(hint)) }
    )
  })
