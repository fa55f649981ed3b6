/**
 * Checks once, while the app starts, that this parent has the rights it needs and that the cluster would admit a runner's
 * pod. So a missing right is one readable error at the first call, and not a boot that fails again and again.
 *
 * `verdict/NeededRights.ts` lists the rights and judges them. `verdict/MissingRights.ts` asks it, and completes the error
 * with the name of the user. A dry run of a pod tells whether the cluster admits the pod.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type BootFailure, isTransient } from "../error/BootFailure.ts"
import type { Rules } from "./api/KubeClient.ts"
import type { Hub } from "./hub/KubeHub.ts"
import { forwardPort } from "./RunnerConnection.ts"
import * as KubeFailure from "./verdict/KubeFailure.ts"
import * as MissingRights from "./verdict/MissingRights.ts"
import type { Pod } from "./object/KubeObjects.ts"
import * as PodMesh from "./template/PodMesh.ts"
import * as PodTemplate from "./template/PodTemplate.ts"
import * as NeededRights from "./verdict/NeededRights.ts"

/** Requests that the parent may make to explain boots that fail. */
export interface May {
  readonly listEvents: boolean
  readonly readLogs: boolean
}

/** Fails with a cause that no retry would cure. Logs a warning about a cause that may pass by itself. */
export const ask = (
  hub: Hub,
  template: PodTemplate.PodTemplate,
  key: "secret" | "env"
): Effect.Effect<May, BootFailure> =>
  Effect.gen(function* () {
    const needs = {
      key,
      secretEnv: template.secretEnv.length > 0,
      portForward: hub.dialBack === undefined
    }
    const questions = [Effect.result(hub.client.rulesReview), Effect.result(dryRun(hub, template))] as const
    const [rules, tried] = yield* Effect.all(questions, { concurrency: 2 })
    const known: Rules = Result.getOrElse(rules, () => ({ incomplete: true, rules: [] }))
    const verdict = yield* MissingRights.judged(hub.client, known, needs)
    if (verdict._tag === "Fatal") return yield* Effect.fail(verdict.cause)
    for (const warning of verdict.warnings) yield* Effect.logInfo(warning)
    const port = hub.dialBack?.listener.port
    const advice = port === undefined ? undefined : PodMesh.adviceFor(hub.parent?.pod, port)
    if (advice !== undefined) yield* Effect.logWarning(advice)
    if (key === "env") {
      yield* Effect.logInfo(
        "keys of runners are in the specifications of their pods: everybody with the right to get or list pods here can pose as a runner"
      )
    }
    if (Result.isFailure(tried)) {
      const failure = KubeFailure.of(tried.failure)
      // A webhook that refuses dry runs says nothing about runners.
      const isUntold = tried.failure.status === 400 && tried.failure.detail.includes("does not support dry run")
      if (isUntold)
        yield* Effect.logInfo(
          `whether the cluster admits the pods of runners is not known yet: ${tried.failure.detail}`
        )
      else if (failure.next === "fail" && !isTransient(failure.cause)) return yield* Effect.fail(failure.cause)
      if (failure.next !== "with a CPU limit" && !isUntold) {
        yield* Effect.logWarning(`the cluster would not admit the pod of a runner now: ${failure.cause.message}`)
      }
    }
    return {
      listEvents: NeededRights.allows(known, "list", "events"),
      readLogs: NeededRights.allows(known, "get", "pods/log")
    }
  })

const dryRun = (hub: Hub, template: PodTemplate.PodTemplate) =>
  hub.client.createPod(samplePod(template, hub.life, hub.dialBack?.address), { dryRun: true })

/** The pod of a runner that is never made. `address`: that of the parent; undefined if the parent connects to its runners. */
export const samplePod = (template: PodTemplate.PodTemplate, life: string, address: string | undefined): Pod =>
  PodTemplate.podOf(template, {
    spec: { id: "preflight", pool: "preflight", life, bootTimeout: 0, drainTimeout: 0, cancelGrace: 0 },
    dial: address ?? { listen: forwardPort },
    identity: "preflight",
    key: { secret: "preflight", entry: "preflight" },
    secretEnv: "preflight"
  })
