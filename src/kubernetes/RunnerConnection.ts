/**
 * The parent's side of the connection to one runner: `listen` waits for the runner to dial this parent, and `forward`
 * connects to the runner through the API server.
 *
 * `hub/DialBack.ts` has the parent's listener and its address. `wire/network/ConnectParent.ts` is the runner's side.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { pauseAfter } from "../time/RetryPause.ts"
import { defaultPort, type Listener } from "../wire/network/Listener.ts"
import * as Psk from "../wire/network/Psk.ts"
import { connectThrough } from "../wire/network/PskClient.ts"
import type { Transport } from "../wire/Transport.ts"
import type { Hub } from "./hub/KubeHub.ts"
import type { DialBack } from "./hub/DialBack.ts"

/** The port on the runner's own loopback on which the runner listens, if its parent connects through the API server. */
export const forwardPort = defaultPort

/** The connection to one runner that has not connected yet, and the runner's key. */
export interface RunnerConnection {
  readonly identity: string
  readonly key: Redacted.Redacted<string>
  /** The addresses that the runner dials, or the port on its own loopback on which it listens for its parent. */
  readonly dial: string | { readonly listen: number }
  /** The authenticated pipe to the runner. `started` completes when the container of the runner runs. */
  readonly transport: (started: Effect.Effect<void>) => Effect.Effect<Transport, never, Scope.Scope>
  /** Advice for a runner that never connected. `address` is that of its pod. */
  readonly hint: (address: string | undefined) => string | undefined
  /** Makes the key of the runner useless, and ends its session. */
  readonly revoke: () => void
}

/** The runner dials the listener of its parent. */
export const listen = (dialBack: DialBack, index: number): RunnerConnection => {
  const admission = dialBack.listener.expect(index)
  return {
    identity: admission.identity,
    key: admission.key,
    dial: dialBack.address,
    transport: () => admission.transport,
    hint: (address) => hints[admission.seen(address)](dialBack),
    revoke: admission.revoke
  }
}

const hints: Record<ReturnType<ReturnType<Listener["expect"]>["seen"]>, (dialBack: DialBack) => string | undefined> = {
  nothing: ({ address }) =>
    `nothing came from its pod to ${address}: does its command start this program, and does every NetworkPolicy let runners reach their parent at that port?`,
  tcp: ({ address }) =>
    `its pod reached ${address} but began no TLS: is there a proxy between them, such as that of a service mesh? exclude the port there`,
  "tls refused": () =>
    "its key was refused: does something change the variables FLAME_RUNNER_* of its pod, or was its key used before?",
  authenticated: () => undefined
}

/** Pauses between tries to reach a program that does not listen yet, in milliseconds. */
const pauses = { first: 50, longest: 500 } as const

/** Milliseconds after which a try without an answer is given up. */
const tryTime = 5_000

/** The parent connects to a port on the loopback of the runner, through the API server. */
export const forward = (
  hub: Pick<Hub, "client" | "keyOf" | "life">,
  index: number,
  pod: string,
  port: number
): RunnerConnection => {
  const identity = Psk.identityOf(hub.life, index)
  const key = hub.keyOf(index)
  let last: string | undefined
  // Each attempt has a scope of its own, so that the connections of a failed attempt are closed with it.
  const once = Effect.gen(function* () {
    const attempt = yield* Scope.fork(yield* Effect.scope)
    const opened = Effect.flatMap(hub.client.portForward(pod, port), (duplex) =>
      connectThrough(duplex, { identity, key })
    )
    // A node that is asked while it starts a container may never answer.
    const answered = Effect.timeoutOrElse(Scope.provide(opened, attempt), {
      duration: tryTime,
      orElse: () => Effect.fail(new Error(`it did not answer for ${tryTime} ms`))
    })
    return yield* Effect.onError(answered, (cause) => Scope.close(attempt, Exit.failCause(cause)))
  })
  const attempt = (failures: number): Effect.Effect<Transport, never, Scope.Scope> =>
    once.pipe(
      Effect.catch((error) => {
        last = error.message
        return Effect.flatMap(Random.next, (random) =>
          Effect.delay(attempt(failures + 1), pauseAfter(failures, pauses, random))
        )
      })
    )
  return {
    identity,
    key,
    dial: { listen: port },
    transport: (started) => Effect.andThen(started, attempt(1)),
    hint: () => (last === undefined ? undefined : `the API server did not connect to it: ${last}`),
    revoke: () => {}
  }
}
