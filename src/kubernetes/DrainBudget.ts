/** How long this process may take to end, as the kubelet has it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { BootFailure } from "../BootFailure.ts"
import type { Pod } from "./Kube.ts"
import type { Hub } from "./KubeHub.ts"
import type { Once } from "./Once.ts"

/** What has to happen after the last call has ended: runners leave, pods and Secrets are deleted. Milliseconds. */
export const reserve = 8_000

/** How long the API server may take to say when this pod is to be gone, in milliseconds. */
const askTime = 1_000

/** What is left of a drain, which began some milliseconds ago, in a pod that is to go, or got its signal for another reason. */
export const within = (drainTimeout: number, pod: Pod, now: number, ago = 0): number => {
  const grace = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1_000 - ago
  const { deletionTimestamp } = pod.metadata
  const left = deletionTimestamp === undefined ? grace : Math.min(grace, Date.parse(deletionTimestamp) - now)
  return Math.max(0, Math.min(drainTimeout, left - reserve))
}

/** What to say of a parent whose pod is ended before its calls have had their time; undefined where there is enough. */
export const shortage = (pod: Pod | undefined, drainTimeout: number): string | undefined => {
  if (pod === undefined) return undefined
  const grace = pod.spec.terminationGracePeriodSeconds ?? 30
  const wanted = Math.ceil((drainTimeout + reserve) / 1_000)
  return grace >= wanted
    ? undefined
    : `calls get ${Math.max(0, grace - reserve / 1_000)} s to end when this pod has to go, not the ${drainTimeout / 1_000} s of drainTimeout: set its terminationGracePeriodSeconds to ${wanted}, or drainTimeout lower`
}

/** What of a drain can be had now; all of it outside the cluster. */
export const left = (hub: Once<Hub, BootFailure>, drainTimeout: number): Effect.Effect<number> =>
  Effect.gen(function* () {
    const known = hub.done
    if (known?.parent === undefined) return drainTimeout
    const { client, parent } = known
    const began = yield* Clock.currentTimeMillis
    const asked = yield* Effect.option(Effect.timeout(client.getPod(parent.pod.metadata.name ?? ""), askTime))
    const now = yield* Clock.currentTimeMillis
    return within(
      drainTimeout,
      Option.getOrElse(asked, () => parent.pod),
      now,
      now - began
    )
  })
