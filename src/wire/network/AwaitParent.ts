/**
 * The runner's side where the parent connects to the runner (`forward` in `kubernetes/RunnerConnection.ts`).
 * `ParentPort.ts` admits the parent's connection.
 */
import * as Effect from "effect/Effect"
import { NeverConnected } from "../../error/BootFailure.ts"
import { admitParent } from "./ParentPort.ts"
import * as Psk from "./Psk.ts"
import { fromDuplex, type Transport } from "../Transport.ts"

export interface AwaitOptions extends Psk.Credentials {
  readonly port: number
  /** Milliseconds to wait for the parent. */
  readonly patience: number
}

/** Waits for the pipe to the parent. Rejects with `NeverConnected` if the parent does not connect in time. */
export const awaitParent = (options: AwaitOptions, signal?: AbortSignal): Promise<Transport> =>
  Effect.runPromise(accept(options), signal === undefined ? {} : { signal })

const accept = ({ identity, key, patience, port }: AwaitOptions): Effect.Effect<Transport, NeverConnected> =>
  Effect.callback<Transport, NeverConnected>((resume) => {
    const close = admitParent(
      { identity, key: Psk.bytesOf(key), port, patience },
      {
        admitted: (socket) => resume(Effect.succeed(fromDuplex(socket))),
        failed: (hint, after) => resume(Effect.fail(new NeverConnected({ phase: "started", hint, after })))
      }
    )
    return Effect.sync(close)
  })
