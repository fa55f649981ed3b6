/** How a runner's pod and its parent come together: it dials, or it is dialled through the API server. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { Listener } from "../wire/network/Listener.ts"
import * as Psk from "../wire/network/Psk.ts"
import { connectThrough } from "../wire/network/PskClient.ts"
import type { Transport } from "../wire/Transport.ts"
import type { Hub } from "./hub/KubeHub.ts"
import type { DialBack } from "./hub/DialBack.ts"

export interface Dialling {
  readonly identity: string
  readonly key: Redacted.Redacted<string>
  /** Where the runner dials, or the port of its own loopback where it is dialled. */
  readonly dial: string | { readonly listen: number }
  /** The authenticated pipe; `started` completes when its program runs. */
  readonly transport: (started: Effect.Effect<void>) => Effect.Effect<Transport, never, Scope.Scope>
  /** What to look at where no connection came about; takes the address of the pod. */
  readonly hint: (address: string | undefined) => string | undefined
  /** Its key opens nothing any more. */
  readonly revoke: () => void
}

/** The runner dials the listener of its parent. */
export const listen = (dialBack: DialBack, index: number): Dialling => {
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
const pauses = { first: 50, last: 500 } as const

/** How long a try may take that gets no answer, in milliseconds. */
const tryTime = 5_000

/** The parent reaches a port on the runner's own loopback through the API server. */
export const forward = (
  hub: Pick<Hub, "client" | "keyOf" | "life">,
  index: number,
  pod: string,
  port: number
): Dialling => {
  const identity = Psk.identityOf(hub.life, index)
  const key = hub.keyOf(index)
  let last: string | undefined
  // what an attempt has opened is closed with it, unless it is the one that got through
  const once = Effect.gen(function* () {
    const attempt = yield* Scope.fork(yield* Effect.scope)
    const opened = Effect.flatMap(hub.client.portForward(pod, port), (duplex) =>
      connectThrough(duplex, { identity, key })
    )
    // a node that is asked amid the start of a container may never answer
    const answered = Effect.timeoutOrElse(Scope.provide(opened, attempt), {
      duration: tryTime,
      orElse: () => Effect.fail(new Error(`it did not answer for ${tryTime} ms`))
    })
    return yield* Effect.onError(answered, (cause) => Scope.close(attempt, Exit.failCause(cause)))
  })
  const attempt = (pause: number): Effect.Effect<Transport, never, Scope.Scope> =>
    once.pipe(
      Effect.catch((error) => {
        last = error.message
        return Effect.delay(attempt(Math.min(pauses.last, pause * 2)), pause)
      })
    )
  return {
    identity,
    key,
    dial: { listen: port },
    transport: (started) => Effect.andThen(started, attempt(pauses.first)),
    hint: () => (last === undefined ? undefined : `it was not reached through the API server: ${last}`),
    revoke: () => {}
  }
}
