/**
 * Keys of runners, and TLS that authenticates by these keys only: no certificates, no tickets, one cipher.
 *
 * Each runner has a key of its own, derived from the master key of its parent's life. A handshake proves that the peer
 * has the key.
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

/** A master key. Each life of a parent has a new one, which never leaves the process. */
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

/** The bytes of a key from a variable. */
export const bytesOf = (key: Redacted.Redacted<string>): Buffer => Buffer.from(Redacted.value(key), "base64url")

/** The identity of a runner. Not secret. */
export const identityOf = (life: string, index: number): string => `${life}.${index}`

const common = {
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
  // More than twice as fast as the default suite, and the only suite whose hash fits a key that OpenSSL gets in this
  // way.
  ciphers: "TLS_AES_128_GCM_SHA256",
  // The pre-shared key is secret already, so a costlier key agreement would only slow down the boot.
  ecdhCurve: "X25519:P-256"
} as const

/**
 * TLS options of the listening side. `find` returns the key of an identity, which is trusted only after the handshake.
 *
 * Without a certificate a key is the only way in.
 */
export const serverOptions = (find: (identity: string, socket: TLSSocket) => Uint8Array | undefined): TlsOptions => ({
  ...common,
  // With tickets a client could connect after its key was used, without a call of `find`.
  secureOptions: builtin("node:crypto").constants.SSL_OP_NO_TICKET,
  pskCallback: (socket: TLSSocket, identity: string) => find(identity, socket) ?? null
})

/** TLS options of the connecting side. Call `isAuthentic` before anything is written. */
export const clientOptions = (identity: string, key: Uint8Array): ConnectionOptions => ({
  ...common,
  // A server with a certificate is never a parent, whatever authority signed the certificate.
  ca: [],
  pskCallback: () => ({ identity, psk: key }),
  // There is no certificate to check.
  checkServerIdentity: () => undefined
})

/** Whether the server has proven its key. False if it used a certificate instead. */
export const isAuthentic = (socket: TLSSocket): boolean =>
  socket.isSessionReused() && Object.keys(socket.getPeerCertificate() ?? {}).length === 0
