/** A Listener with real sockets, the runners that dial it, and strangers that connect. */
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { dialParent } from "../../../src/wire/network/DialParent.ts"
import * as Listener from "../../../src/wire/network/Listener.ts"
import * as Psk from "../../../src/wire/network/Psk.ts"
import * as SilentConnection from "../../../src/wire/network/SilentConnection.ts"
import type { Transport } from "../../../src/wire/Transport.ts"

export const life = "life"

/** A Listener on a free port of IPv4 loopback. */
export const listening = (options: Partial<Listener.ListenerOptions> = {}) =>
  Listener.make({ master: Psk.makeMaster(), life, host: "127.0.0.1", port: 0, ...options })

/** A logger, and its lines as text. */
export const logging = (): { readonly lines: Array<string>; readonly layer: ReturnType<typeof Logger.layer> } => {
  const lines: Array<string> = []
  return { lines, layer: Logger.layer([Logger.make<unknown, void>(({ message }) => void lines.push(String(message)))]) }
}

/** Dials as the runner of that admission, with the given deviations. */
export const dialling = (
  listener: { readonly port: number },
  admission: Psk.Credentials,
  changes: { readonly identity?: string; readonly key?: string; readonly patience?: number } = {}
): Promise<Transport> =>
  dialParent({
    identity: changes.identity ?? admission.identity,
    key: changes.key === undefined ? admission.key : Redacted.make(changes.key),
    patience: changes.patience ?? 60_000,
    addresses: `127.0.0.1:${listener.port}`
  })

/** Records the bytes of a pipe, from the moment of the call. */
export const reading = (transport: Transport) => {
  const got = { text: "", closed: undefined as { readonly error: Error | undefined } | undefined }
  transport.start({
    data: (chunk) => {
      got.text += Buffer.from(chunk).toString("latin1")
    },
    drained: () => {},
    closed: (error) => {
      got.closed = { error }
    }
  })
  return got
}

/** A connection that sends what the test wants, and records its end. */
export const stranger = (port: number, from = "127.0.0.1"): Net.Socket => {
  const socket = Net.connect({ port, host: "127.0.0.1", localAddress: from })
  socket.on("error", () => {})
  // The end arrives behind all sent bytes.
  socket.resume()
  return socket
}

/** Opens the second connection of a session, as a runner does. */
export const silent = (port: number, identity: string, token: Uint8Array): Tls.TLSSocket => {
  const options = Psk.clientOptions(identity + SilentConnection.suffix, token)
  const socket = Tls.connect({ port, host: "127.0.0.1", ...options })
  socket.on("error", () => {})
  socket.resume()
  return socket
}

/** Opens the second connection too, once the token arrives on the first. */
export const accompanied = (port: number, identity: string, first: Tls.TLSSocket): void => {
  first.once("data", (token: Buffer) => void silent(port, identity, token.subarray(0, SilentConnection.tokenSize)))
}

/** How the connection of a TLS client that is no runner ends. */
export const handshake = (
  port: number,
  options: Tls.ConnectionOptions
): Promise<{ readonly isSecure: boolean; readonly got: string; readonly code: string | undefined }> =>
  new Promise((resolve) => {
    let isSecure = false
    let code: string | undefined
    let got = ""
    const socket = Tls.connect({ port, host: "127.0.0.1", ...options }, () => {
      isSecure = true
      socket.write("hello")
    })
    socket.on("data", (chunk: Buffer) => {
      got += chunk.toString("latin1")
    })
    socket.on("error", (error: NodeJS.ErrnoException) => {
      code = error.code
    })
    socket.on("close", () => resolve({ isSecure, got, code }))
  })

/** Waits for a condition of this process. */
export const until = (condition: () => boolean, what: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    const deadline = performance.now() + 60_000
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`it never came that ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  })
