/** Boots one real runner of the parent's image, and deletes it again. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import { Backend } from "../../backend/Backend.ts"
import type { BootFailure } from "../../error/BootFailure.ts"
import { KubeClient } from "../../kubernetes/api/KubeClient.ts"
import * as KubernetesBackend from "../../kubernetes/KubernetesBackend.ts"
import type { Container, Pod, PodSpec } from "../../kubernetes/object/KubeObjects.ts"
import * as PodLabels from "../../kubernetes/object/PodLabels.ts"
import type { PodOptions } from "../../kubernetes/template/PodOptions.ts"
import { containerName } from "../../kubernetes/template/PodTemplate.ts"
import { PoolService } from "../../pool/Pool.ts"
import * as RoleVariables from "../../process/RoleVariables.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { pods } from "../cluster/Resources.ts"
import { type Check, fail } from "./Check.ts"
import * as ProbeChecks from "./ProbeChecks.ts"

class DoctorPool extends PoolService<DoctorPool>()("effect-flame/doctor") {}

const withoutOurs = (all: Readonly<Record<string, string>> | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(all ?? {}).filter(([name]) => !name.startsWith("flame.dev/") && name !== PodLabels.managedBy)
  )

/** Variables that the backend sets anew for each runner. */
const isSet = (name: string): boolean => RoleVariables.isVariable(name) || name.startsWith("POD_")

const containerOf = (container: Container): Container => ({
  ...container,
  env: (container.env ?? []).filter(({ name }) => container.name !== containerName || !isSet(name))
})

/** The options by which a parent outside of the cluster makes this very pod. */
export const optionsOf = (sample: Pod): PodOptions => {
  const { nodeName: _, ...spec } = sample.spec
  const manifest = {
    metadata: { labels: withoutOurs(sample.metadata.labels), annotations: withoutOurs(sample.metadata.annotations) },
    spec: { ...spec, containers: spec.containers.map(containerOf) } satisfies PodSpec
  }
  return { manifest: manifest as unknown as NonNullable<PodOptions["manifest"]> }
}

/** Whether the runner serves, or why not. */
type Outcome =
  | { readonly _tag: "Ready"; readonly phases: ProbeChecks.Phases; readonly pod: string | undefined }
  | { readonly _tag: "Failed"; readonly cause: BootFailure }

/** Boots a runner, and waits for the end of its boot. */
const boot = Effect.gen(function* () {
  const pool = yield* DoctorPool
  const outcome = yield* Deferred.make<Outcome>()
  yield* Effect.forkChild(
    Stream.runForEach(pool.events, (event) =>
      Effect.sync(() => {
        if (event._tag === "RunnerReady") {
          const { labels, phases } = event
          Deferred.doneUnsafe(outcome, Effect.succeed({ _tag: "Ready", phases, pod: labels["pod"] }))
        }
        if (event._tag === "BootFailed") {
          Deferred.doneUnsafe(outcome, Effect.succeed({ _tag: "Failed", cause: event.cause }))
        }
      })
    ),
    { startImmediately: true }
  )
  yield* pool.resize({ min: 1, max: 1 })
  return yield* Deferred.await(outcome)
})

/** The backend of a parent outside of the cluster, whatever this process is: the doctor is not the parent. */
const backend = (sample: Pod, key: "secret" | "env") =>
  Effect.gen(function* () {
    const { client } = yield* Cluster
    const inCluster = client.self !== undefined
    const made = KubernetesBackend.make({
      ...(inCluster ? { instance: "doctor", port: 0 } : { program: "effect-flame doctor", ...optionsOf(sample) }),
      key,
      scheduleTimeout: "30 seconds"
    })
    return yield* Effect.provideService(made, KubeClient, client)
  })

/** The checks of one boot. */
export const checks = (sample: Pod, key: "secret" | "env"): Effect.Effect<ReadonlyArray<Check>, never, Cluster> =>
  Effect.gen(function* () {
    const cluster = yield* Cluster
    const pool = DoctorPool.layer({ min: 0, max: 1, drainTimeout: "1 second" }).pipe(
      Layer.provide(Layer.effect(Backend, backend(sample, key)))
    )
    return yield* Effect.gen(function* () {
      const outcome = yield* boot
      if (outcome._tag === "Failed") return [ProbeChecks.failed(outcome.cause)]
      const pod =
        outcome.pod === undefined
          ? undefined
          : yield* Effect.orElseSucceed(cluster.get<Pod>(pods, outcome.pod), () => undefined)
      const now = cluster.client.serverTime?.() ?? Date.now()
      return [ProbeChecks.booted(outcome.phases), ...(pod === undefined ? [] : ProbeChecks.nodeClock(pod, now))]
    }).pipe(Effect.provide(pool), Effect.scoped)
  }).pipe(
    Effect.catch((error) => Effect.succeed([fail("probe", `no runner could be booted: ${error.message}`)])),
    // The lines of the pool and of its runner are not those of a command.
    Effect.provide(Logger.layer([]))
  )
