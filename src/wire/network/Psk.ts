/**
 * Keys of runners, and TLS that knows nobody by anything else: no certificate, no ticket, one cipher.
 *
 * Each runner has a key of its own, derived from the master of its parent's life. What a peer proves is that it has it.
 */
import type { ConnectionOptions, TlsOptions, TLSSocket } from "node:tls"
import * as Redacted from "effect/Redacted"
import { builtin } from "../../function/Builtin.ts"

/** An identity, and the key that proves it. */
export interface Credentials {
  readonly identity: string
  readonly key: Redacted.Redacted<string>
}

const keySize = 32

/** A master, new for each life of a parent; it never leaves the process. */
export const makeMaster = (): Redacted.Redacted<Uint8Array> =>
  Redacted.make(builtin("node:crypto").randomBytes(keySize), { label: "master" })

/** The key of a runner, as text that fits a variable. */
export const keyOf = (
  master: Redacted.Redacted<Uint8Array>,
  life: string,
  index: number
): Redacted.Redacted<string> => {
  const key = builtin("node:crypto").hkdfSync(
    "sha256",
    Redacted.value(master),
    life,
    `effect-flame runner ${index}`,
    keySize
  )
  return Redacted.make(Buffer.from(key).toString("base64url"), { label: "key" })
}

/** The bytes of a key that stands in a variable. */
export const bytesOf = (key: Redacted.Redacted<string>): Buffer => Buffer.from(Redacted.value(key), "base64url")

/** The identity of a runner. Not secret. */
export const identityOf = (life: string, index: number): string => `${life}.${index}`

const common = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  // more than twice as fast as the default suite, and the only one whose hash fits a key that OpenSSL is given this way
  ciphers: "TLS_AES_128_GCM_SHA256",
  // the key is secret already, so that a costlier agreement would add nothing but a longer boot
  ecdhCurve: "X25519:P-256"
} as const

/**
 * TLS of the side that listens; `find` gives the key of an identity, which is trusted only once the handshake is over.
 *
 * Without a certificate there is no way in but by a key.
 */
export const serverOptions = (find: (identity: string, socket: TLSSocket) => Uint8Array | undefined): TlsOptions => ({
  ...common,
  // with tickets a client would get in after its key was burnt, without `find` being asked
  secureOptions: builtin("node:crypto").constants.SSL_OP_NO_TICKET,
  pskCallback: (socket: TLSSocket, identity: string) => find(identity, socket) ?? null
})

/** TLS of the side that connects. `isAuthentic` must be asked before anything is written. */
export const clientOptions = (identity: string, key: Uint8Array): ConnectionOptions => ({
  ...common,
  // a server with a certificate is none of ours, whoever has signed it
  ca: [],
  pskCallback: () => ({ identity, psk: key }),
  // there is no certificate to look at
  checkServerIdentity: () => undefined
})

/** Whether the server has proven that it has the key; one that a certificate speaks for has not. */
export const isAuthentic = (socket: TLSSocket): boolean =>
  socket.isSessionReused() && Object.keys(socket.getPeerCertificate() ?? {}).length === 0
