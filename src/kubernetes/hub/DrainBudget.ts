/** How much of `drainTimeout` is left before the kubelet kills the parent's own pod. */
import type { RunnerSpec } from "../../backend/Backend.ts"
import type { BootFailure } from "../../error/BootFailure.ts"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Hub } from "./KubeHub.ts"
import type { Once } from "./Once.ts"
import { shutdownReserve } from "./ShutdownDeadline.ts"
import type { Pod } from "../object/KubeObjects.ts"

/** Milliseconds within which the API server must answer when this pod got its signal. */
const askTime = 1_000

/** Milliseconds to kill a call that does not stop within `cancelGrace`, and to delete its pod. */
const killTime = 3_000

/** Seconds of grace of a pod that sets none, by the default of Kubernetes. */
const defaultGrace = 30

/**
 * Milliseconds of a drain that began `ago` milliseconds ago in this pod.
 *
 * The pod's grace counts from its deletion, which is before the signal if a preStop hook ran first. Only the API
 * server's own time says how long ago that was. Its timestamps are never compared with the clock of this process.
 */
export const within = (drainTimeout: number, pod: Pod, ago: number, serverTime: number | undefined): number => {
  const { deletionGracePeriodSeconds, deletionTimestamp } = pod.metadata
  const own = pod.spec.terminationGracePeriodSeconds ?? defaultGrace
  // A pod that is not being deleted did not get its signal from the kubelet. Such a pod may still be deleted later.
  const grace = 1_000 * (deletionTimestamp === undefined ? own : (deletionGracePeriodSeconds ?? own))
  const elapsed =
    deletionTimestamp === undefined || serverTime === undefined
      ? 0
      : serverTime - (Date.parse(deletionTimestamp) - grace)
  // A time outside the deletion comes from another clock, such as that of a proxy.
  const spent = elapsed < 0 || elapsed > grace ? ago : Math.max(ago, elapsed)
  return Math.max(0, Math.min(drainTimeout, grace - spent - shutdownReserve))
}

/**
 * A warning about a parent whose pod is killed before its calls have had their time. Undefined if its grace is enough.
 */
export const shortage = (
  pod: Pod | undefined,
  { cancelGrace, drainTimeout }: Pick<RunnerSpec, "cancelGrace" | "drainTimeout">
): string | undefined => {
  if (pod === undefined) return undefined
  const grace = pod.spec.terminationGracePeriodSeconds ?? defaultGrace
  const wanted = (rest: number) => Math.ceil((drainTimeout + rest) / 1_000)
  const stubborn = cancelGrace + killTime
  if (grace < wanted(shutdownReserve)) {
    const left = Math.max(0, grace - shutdownReserve / 1_000)
    return `calls get ${left} s to end when this pod is deleted, not the ${drainTimeout / 1_000} s of drainTimeout: set its terminationGracePeriodSeconds to ${wanted(Math.max(shutdownReserve, stubborn))}, or drainTimeout lower`
  }
  if (grace < wanted(stubborn))
    return `calls that are cut may take the ${cancelGrace / 1_000} s of cancelGrace, of which this pod has no more than ${(shutdownReserve - killTime) / 1_000} s: set its terminationGracePeriodSeconds to ${wanted(stubborn)}, or cancelGrace lower`
  return undefined
}

/**
 * How much of `drainTimeout` is left before the kubelet kills this pod. Outside the cluster: all of it. Also sets the
 * hub's `ShutdownDeadline`.
 */
export const left = (hub: Once<Hub, BootFailure>, drainTimeout: number): Effect.Effect<number> =>
  Effect.suspend(() => {
    const known = hub.done
    if (known === undefined) return Effect.succeed(drainTimeout)
    return Effect.tap(leftOf(known, drainTimeout), (budget) => Effect.sync(() => known.deadline.drains(budget)))
  })

const leftOf = Effect.fnUntraced(function* ({ client, parent }: Hub, drainTimeout: number) {
  if (parent === undefined) return drainTimeout
  const began = yield* Clock.monotonicTimeNanos
  const asked = yield* Effect.option(Effect.timeout(client.getPod(parent.pod.metadata.name ?? ""), askTime))
  const ago = Number((yield* Clock.monotonicTimeNanos) - began) / 1e6
  const pod = Option.getOrElse(asked, () => parent.pod)
  return within(drainTimeout, pod, ago, client.serverTime?.())
})
