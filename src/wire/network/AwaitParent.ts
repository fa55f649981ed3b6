/**
 * The runner's side where the parent connects to the runner (`forward` in `kubernetes/RunnerConnection.ts`).
 *
 * The runner listens on the loopback addresses of its pod only, which a port-forward reaches. It admits one connection that
 * proves to have its key.
 */
import type { TLSSocket } from "node:tls"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { NeverConnected } from "../../error/BootFailure.ts"
import { builtin } from "../../function/Builtin.ts"
import * as Psk from "./Psk.ts"
import { PskServer } from "./PskServer.ts"
import { fromDuplex, type Transport } from "../Transport.ts"
import { defaults } from "./Strangers.ts"

export interface AwaitOptions extends Psk.Credentials {
  readonly port: number
  /** Milliseconds to wait for the parent. */
  readonly patience: number
}

/** Waits for the pipe to the parent. Rejects with `NeverConnected` if the parent does not connect in time. */
export const awaitParent = (options: AwaitOptions, signal?: AbortSignal): Promise<Transport> =>
  Effect.runPromise(accept(options), signal === undefined ? {} : { signal })

const accept = ({ identity, key, patience, port }: AwaitOptions): Effect.Effect<Transport, NeverConnected> => {
  const failed = (hint: string, after: number) => Effect.fail(new NeverConnected({ phase: "started", hint, after }))
  return Effect.callback<Transport, NeverConnected>((resume) => {
    let psk: Buffer | undefined = Psk.bytesOf(key)
    let wrong = 0
    const door = new PskServer(defaults, {
      find: (claimed) => (claimed === identity ? psk : undefined),
      secure: (socket: TLSSocket) => {
        // Two connections at once: the first has used the key.
        if (psk === undefined) return void socket.destroy()
        psk = undefined
        closePort()
        resume(Effect.succeed(fromDuplex(socket)))
      },
      refused: () => wrong++,
      dismissed: () => {}
    })
    const servers = ["127.0.0.1", "::1"].map((host) =>
      builtin("node:net")
        .createServer({ noDelay: true }, (socket) => door.accept(socket))
        .listen({ host, port })
    )
    const closePort = () => {
      timer.interruptUnsafe()
      door.dismissStrangers()
      for (const server of servers) server.close()
    }
    // `Effect.sleep` and not `setTimeout`, which fires at once if the delay is above 24.8 days.
    const timer = Effect.runFork(Effect.sleep(patience))
    timer.addObserver((exit) => {
      if (Exit.isFailure(exit)) return
      closePort()
      const others = wrong === 0 ? "" : `, but ${wrong} that did not have its key`
      resume(failed(`its parent did not come to its port ${port}${others}`, patience))
    })
    // A pod without IPv6 has no ::1.
    let errors = 0
    for (const server of servers) {
      server.on("error", (error) => {
        if (++errors < servers.length) return
        closePort()
        resume(failed(`it cannot listen on its port ${port}: ${error.message}`, 0))
      })
    }
    return Effect.sync(closePort)
  })
}
