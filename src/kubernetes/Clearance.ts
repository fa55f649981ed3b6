/**
 * Whether the cluster will have the runners: asked once beside the start of the app, so that a missing right is one
 * readable error at the first call, and not a boot that fails for ever.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { type BootFailure, isTransient } from "../error/BootFailure.ts"
import type { Rules } from "./api/KubeClient.ts"
import type { Hub } from "./hub/KubeHub.ts"
import * as KubeFailure from "./verdict/KubeFailure.ts"
import * as MissingRights from "./verdict/MissingRights.ts"
import * as PodMesh from "./template/PodMesh.ts"
import * as PodTemplate from "./template/PodTemplate.ts"
import * as Preflight from "./verdict/Preflight.ts"

/** What may be asked to explain boots that fail. */
export interface May {
  readonly listEvents: boolean
  readonly readLogs: boolean
}

/** Fails with what is in the way for good; what may pass is a warning. */
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
      yield* Effect.logInfo("runners' keys stand in their pods: whoever may get or list pods here could pose as one")
    }
    if (Result.isFailure(tried)) {
      const failure = KubeFailure.of(tried.failure)
      // a webhook that says nothing to dry runs has said nothing of runners
      const isUntold = tried.failure.status === 400 && tried.failure.detail.includes("does not support dry run")
      if (isUntold)
        yield* Effect.logInfo(`whether runners' pods will be taken is not known yet: ${tried.failure.detail}`)
      else if (failure.next === "fail" && !isTransient(failure.cause)) return yield* Effect.fail(failure.cause)
      if (failure.next !== "with a CPU limit" && !isUntold) {
        yield* Effect.logWarning(`a runner's pod would not be taken now: ${failure.cause.message}`)
      }
    }
    return {
      listEvents: Preflight.allows(known, "list", "events"),
      readLogs: Preflight.allows(known, "get", "pods/log")
    }
  })

const dryRun = (hub: Hub, template: PodTemplate.PodTemplate) =>
  hub.client.createPod(
    PodTemplate.podOf(template, {
      spec: {
        id: "preflight",
        pool: "preflight",
        life: hub.life,
        bootTimeout: 0,
        drainTimeout: 0,
        cancelGrace: 0
      },
      dial: hub.dialBack?.address ?? { listen: 9345 },
      identity: "preflight",
      key: { secret: "preflight", entry: "preflight" },
      secretEnv: "preflight"
    }),
    { dryRun: true }
  )
