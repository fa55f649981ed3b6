/** Creates the pod of a runner. Retries failures that can pass, until the pod exists or cannot exist. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { RunnerSpec } from "../backend/Backend.ts"
import type { BootFailure } from "../error/BootFailure.ts"
import type { Code } from "../code/PreparedCode.ts"
import type { RunnerConnection } from "./RunnerConnection.ts"
import type { Pod } from "./object/KubeObjects.ts"
import type { KubeError } from "./api/KubeError.ts"
import * as KubeFailure from "./verdict/KubeFailure.ts"
import type { Hub } from "./hub/KubeHub.ts"
import type { Once } from "./hub/Once.ts"
import * as PodTemplate from "./template/PodTemplate.ts"

/** The parts that all pods of one layer share. */
export interface RunnerPodParts {
  readonly hub: Hub
  readonly template: PodTemplate.PodTemplate
  /** The code that runners get from this parent. Undefined if their image has it. */
  readonly code: Code | undefined
  readonly key: "secret" | "env"
  /** The Secret with the values of `secretEnv`. Undefined without any. */
  readonly values: Once<string, KubeError> | undefined
  /** Milliseconds that the wait for room in a quota may take, and also the wait for a node. */
  readonly scheduleTimeout: number
  /** The owner of a pod that is created now. */
  readonly owner: () => PodTemplate.PodTemplate["owner"]
  readonly may: { readonly listEvents: boolean; readonly readLogs: boolean }
  /** Logs a step at the level of the option `log`, if that is set. */
  readonly say: (message: string) => void
  /** Warns once of the changes that admission has made. */
  readonly compare: (sent: Pod, made: Pod) => void
}

/** Receives the progress of a creation. */
export interface Progress {
  /** Called when a create request is sent: there may be a pod, whatever the answer. */
  readonly asking: () => void
  /** Called when the API server has refused every request so far: most likely there is no pod. */
  readonly refused: () => void
  readonly waits: (detail: string) => void
}

const behindOthers =
  "a quota has refused the pod of another runner, which tries again for all: lower `max` of the pool, or raise the quota"

/** Creates the pod of a runner. Waits up to `scheduleTimeout` while a quota is full or the API server does not answer. */
export const make = Effect.fnUntraced(function* (
  parts: RunnerPodParts,
  spec: RunnerSpec,
  index: number,
  { dial, identity, key }: Pick<RunnerConnection, "dial" | "identity" | "key">,
  progress: Progress
): Effect.fn.Return<Pod, BootFailure> {
  const { hub, scheduleTimeout, template } = parts
  const entry = parts.key === "env" ? undefined : yield* Effect.mapError(hub.keys.entryFor(index), KubeFailure.causeOf)
  const values = parts.values === undefined ? undefined : yield* Effect.mapError(parts.values.get, KubeFailure.causeOf)
  const podInput = { spec, dial, identity, key: entry ?? key, ...(values === undefined ? {} : { secretEnv: values }) }
  const began = hub.uptime()
  let needsCpuLimit = false
  let mayBeThere = false
  // Each kind of refusal has its own time limit, because the first of a kind may come after minutes of another kind.
  let last = { kind: "", since: began }
  for (;;) {
    const wanted = PodTemplate.podOf({ ...template, owner: parts.owner() }, { ...podInput, needsCpuLimit })
    // Reported before its turn, because a pool gives up waiting boots that are not needed any more.
    if (hub.quota.isShut && last.kind === "") progress.waits(behindOthers)
    const asked = Effect.andThen(Effect.sync(progress.asking), hub.client.createPod(wanted))
    const made = yield* hub.quota.pass(Effect.result(asked), isQuotaFull)
    if (Result.isSuccess(made)) {
      parts.compare(wanted, made.success)
      return made.success
    }
    mayBeThere ||= !made.failure.isRefusal
    if (!mayBeThere) progress.refused()
    const now = hub.uptime()
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
