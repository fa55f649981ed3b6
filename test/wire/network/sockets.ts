/** Two connected sockets in this process, and waiting for events on them. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"

/** Runs everything that is due now. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Takes turns of the event loop until the condition holds. */
export const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await turn()
}

export type Kind = "unix" | "tcp"

/** Two ends of one connection: a Unix socket, as a local runner has, or TCP, as a pod has. The scope closes both. */
export const socketPair = (kind: Kind): Effect.Effect<readonly [Net.Socket, Net.Socket], never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "flame-wire-"))
      const server = Net.createServer({ noDelay: true })
      const accepted = new Promise<Net.Socket>((resolve) => server.once("connection", resolve))
      await new Promise<void>((resolve) => {
        if (kind === "unix") server.listen(Path.join(folder, "s"), resolve)
        else server.listen(0, "127.0.0.1", resolve)
      })
      const address = server.address()
      const dialled =
        typeof address === "string"
          ? Net.connect(address)
          : Net.connect({ port: address?.port ?? 0, host: "127.0.0.1", noDelay: true })
      const pair = [await accepted, dialled] as const
      await until(() => !dialled.connecting)
      server.close()
      Fs.rmSync(folder, { recursive: true })
      return pair
    }),
    (pair) => Effect.sync(() => pair.forEach((socket) => socket.destroy()))
  )
