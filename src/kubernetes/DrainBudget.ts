/** How long this process may take to end, as the kubelet has it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RunnerSpec } from "../backend/Backend.ts"
import type { BootFailure } from "../error/BootFailure.ts"
import type { Pod } from "./object/KubeObjects.ts"
import type { Hub } from "./hub/KubeHub.ts"
import type { Once } from "./hub/Once.ts"
import { shutdownReserve } from "./hub/ShutdownDeadline.ts"

/** How long the API server may take to say when this pod is to be gone, in milliseconds. */
const askTime = 1_000

/** What it takes to kill a call that does not stop within `cancelGrace`, and to delete its pod, in milliseconds. */
const killTime = 3_000

/** What is left of a drain, which began some milliseconds ago, in a pod that is to go, or got its signal for another reason. */
export const within = (drainTimeout: number, pod: Pod, now: number, ago = 0): number => {
  const grace = (pod.spec.terminationGracePeriodSeconds ?? 30) * 1_000 - ago
  const { deletionTimestamp } = pod.metadata
  const left = deletionTimestamp === undefined ? grace : Math.min(grace, Date.parse(deletionTimestamp) - now)
  return Math.max(0, Math.min(drainTimeout, left - shutdownReserve))
}

/** What to say of a parent whose pod is ended before its calls have had their time; undefined where there is enough. */
export const shortage = (
  pod: Pod | undefined,
  { cancelGrace, drainTimeout }: Pick<RunnerSpec, "cancelGrace" | "drainTimeout">
): string | undefined => {
  if (pod === undefined) return undefined
  const grace = pod.spec.terminationGracePeriodSeconds ?? 30
  const wanted = (rest: number) => Math.ceil((drainTimeout + rest) / 1_000)
  const stubborn = cancelGrace + killTime
  if (grace < wanted(shutdownReserve))
    return `calls get ${Math.max(0, grace - shutdownReserve / 1_000)} s to end when this pod has to go, not the ${drainTimeout / 1_000} s of drainTimeout: set its terminationGracePeriodSeconds to ${wanted(Math.max(shutdownReserve, stubborn))}, or drainTimeout lower`
  if (grace < wanted(stubborn))
    return `calls that are cut may take the ${cancelGrace / 1_000} s of cancelGrace, of which this pod has no more than ${(shutdownReserve - killTime) / 1_000} s: set its terminationGracePeriodSeconds to ${wanted(stubborn)}, or cancelGrace lower`
  return undefined
}

/** What of a drain can be had now; all of it outside the cluster. What comes after it goes by that. */
export const left = (hub: Once<Hub, BootFailure>, drainTimeout: number): Effect.Effect<number> =>
  Effect.suspend(() => {
    const known = hub.done
    if (known === undefined) return Effect.succeed(drainTimeout)
    return Effect.tap(leftOf(known, drainTimeout), (budget) => Effect.sync(() => known.deadline.drains(budget)))
  })

const leftOf = Effect.fnUntraced(function* ({ client, parent }: Hub, drainTimeout: number) {
  if (parent === undefined) return drainTimeout
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
