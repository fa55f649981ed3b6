/** Makes the pod of a runner: again and again where that may help, until it is there or cannot be. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { RunnerSpec } from "../backend/Backend.ts"
import type { BootFailure } from "../error/BootFailure.ts"
import type { Dialling } from "./Dialling.ts"
import type { Pod } from "./object/KubeObjects.ts"
import type { KubeError } from "./api/KubeError.ts"
import * as KubeFailure from "./verdict/KubeFailure.ts"
import type { Hub } from "./hub/KubeHub.ts"
import type { Once } from "./hub/Once.ts"
import * as PodTemplate from "./template/PodTemplate.ts"

/** What the pods of one layer have in common. */
export interface RunnerPodParts {
  readonly hub: Hub
  readonly template: PodTemplate.PodTemplate
  readonly key: "secret" | "env"
  /** The Secret that holds the values of `secretEnv`, where there are any. */
  readonly values: Once<string, KubeError> | undefined
  /** How long finding a place may take, in milliseconds. */
  readonly scheduleTimeout: number
  /** The owner of a pod that is made now. */
  readonly owner: () => PodTemplate.PodTemplate["owner"]
  readonly may: { readonly listEvents: boolean; readonly readLogs: boolean }
  /** Logs what is done in the cluster, where that is wanted. */
  readonly say: (message: string) => void
  /** Tells once what admission has changed. */
  readonly compare: (sent: Pod, made: Pod) => void
}

/** What whoever wants the pod is told on the way. */
export interface Progress {
  /** From now on there may be a pod, whatever becomes of the answer. */
  readonly asking: () => void
  /** The API server has said no to each try, so that most likely there is none. */
  readonly refused: () => void
  readonly waits: (detail: string) => void
}

const behindOthers = "a quota has refused another runner, which tries again for all that wait: lower `max`, or raise it"

/** Creates the pod of a runner; waits where a quota is full, or the API server is away, as long as a place may take. */
export const make = Effect.fnUntraced(function* (
  parts: RunnerPodParts,
  spec: RunnerSpec,
  index: number,
  { dial, identity, key }: Pick<Dialling, "dial" | "identity" | "key">,
  progress: Progress
): Effect.fn.Return<Pod, BootFailure> {
  const { hub, scheduleTimeout, template } = parts
  const entry = parts.key === "env" ? undefined : yield* Effect.mapError(hub.keys.entryFor(index), KubeFailure.causeOf)
  const values = parts.values === undefined ? undefined : yield* Effect.mapError(parts.values.get, KubeFailure.causeOf)
  const podInput = { spec, dial, identity, key: entry ?? key, ...(values === undefined ? {} : { secretEnv: values }) }
  const began = hub.now()
  let needsCpuLimit = false
  let mayBeThere = false
  // each kind of refusal has its own time: one that comes after minutes of another is the first of its kind
  let last = { kind: "", since: began }
  for (;;) {
    const wanted = PodTemplate.podOf({ ...template, owner: parts.owner() }, { ...podInput, needsCpuLimit })
    // told before its turn has come: a boot that waits is given up when nobody needs it any more
    if (hub.quota.isShut && last.kind === "") progress.waits(behindOthers)
    const asked = Effect.andThen(Effect.sync(progress.asking), hub.client.createPod(wanted))
    const made = yield* hub.quota.pass(Effect.result(asked), isQuotaFull)
    if (Result.isSuccess(made)) {
      parts.compare(wanted, made.success)
      return made.success
    }
    mayBeThere ||= !made.failure.isRefusal
    if (!mayBeThere) progress.refused()
    const now = hub.now()
    const kind = KubeFailure.causeOf(made.failure)._tag
    if (kind !== last.kind) last = { kind, since: now }
    const failure = KubeFailure.of(made.failure, { elapsed: now - last.since, cpuLimit: needsCpuLimit })
    if (failure.next === "fail" || now - began > scheduleTimeout) return yield* Effect.fail(failure.cause)
    progress.waits(failure.cause.message)
    if (failure.next === "with a CPU limit") needsCpuLimit = true
    else if (failure.next === "again") yield* Effect.sleep(failure.after * (0.8 + 0.4 * Math.random()))
  }
})

const isQuotaFull = (made: Result.Result<Pod, KubeError>): boolean =>
  Result.isFailure(made) && KubeFailure.of(made.failure).next === "when there is room"
