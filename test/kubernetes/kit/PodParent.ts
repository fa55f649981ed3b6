/**
 * A parent whose runners are pods of a cluster in memory. A test plays the runner, and dials with what the pod's spec
 * says.
 */
import { Effect, Layer, Scope } from "effect"
import type { RunnerProcess, RunnerSpec } from "../../../src/backend/Backend.ts"
import type { Pod } from "../../../src/kubernetes/object/KubeObjects.ts"
import { KubeClient } from "../../../src/kubernetes/api/KubeClient.ts"
import * as KubernetesBackend from "../../../src/kubernetes/KubernetesBackend.ts"
import { KubeMock } from "../../../src/testing/KubeMock.ts"
import * as Awaiting from "../../../src/wire/network/AwaitParent.ts"
import { dialParent } from "../../../src/wire/network/DialParent.ts"
import { life } from "../../../src/process/Life.ts"
import * as Redacted from "effect/Redacted"

export type Client = KubeClient["Service"]

/** The cluster in memory, with a client that a test can change. */
export const cluster = (change: (client: Client) => Partial<Client> = () => ({})): Layer.Layer<KubeMock | KubeClient> =>
  Layer.provideMerge(
    Layer.effect(
      KubeClient,
      Effect.map(KubeClient, (client) => ({ ...client, ...change(client) }))
    ),
    KubeMock.layer()
  )

export const options: KubernetesBackend.Options = {
  advertise: "127.0.0.1",
  port: 0,
  key: "env",
  image: "app:1",
  command: ["node", "main.js"]
}

export const make = (more: Partial<KubernetesBackend.Options> = {}) => KubernetesBackend.make({ ...options, ...more })

let count = 0

export const spec = (more: Partial<RunnerSpec> = {}): RunnerSpec => ({
  id: `runner-${count++}`,
  pool: "app",
  life,
  bootTimeout: 60_000,
  drainTimeout: 30_000,
  cancelGrace: 5_000,
  ...more
})

/** Launches a runner in a scope of its own. */
export const launch = Effect.fnUntraced(function* (
  backend: Effect.Success<ReturnType<typeof make>>,
  more: Partial<RunnerSpec> = {}
) {
  const scope = yield* Scope.make()
  const process: RunnerProcess = yield* Scope.provide(backend.launch(spec(more)), scope)
  return { process, scope }
})

const variable = (pod: Pod, name: string): string =>
  pod.spec.containers[0]?.env?.find((each) => each.name === `FLAME_RUNNER_${name}`)?.value ?? ""

/** Dials back as the program in that pod does. */
export const dialBack = (pod: Pod) =>
  Effect.promise((signal) =>
    dialParent(
      {
        addresses: variable(pod, "ADDRESS"),
        identity: variable(pod, "IDENTITY"),
        key: Redacted.make(variable(pod, "KEY")),
        patience: 5_000
      },
      signal
    )
  )

/** Listens for the parent as the program in that pod does, at another port. */
export const awaitParent = (pod: Pod, port: number) =>
  Effect.promise((signal) =>
    Awaiting.awaitParent(
      { port, identity: variable(pod, "IDENTITY"), key: Redacted.make(variable(pod, "KEY")), patience: 5_000 },
      signal
    )
  )
