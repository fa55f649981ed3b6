/**
 * Runs the suite for placed services (C30 to C37), which child processes and memory pass too, on pods. Also kills an
 * owner.
 */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { placeConformance } from "../conformance/place/suite.ts"
import { until } from "../fixtures/conformance-process/patience.ts"
import * as Stage from "../fixtures/conformance-process/stage.ts"
import { create, remove } from "./kit/Cluster.ts"
import { host } from "./kit/HostParent.ts"
import { kill, leavesNothing, processes } from "./kit/Leaks.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import * as ParentPod from "./kit/ParentPod.ts"
import { backend, leavingNothing, limit } from "./kit/Suite.ts"

const space = Namespaces.ofFile("place")

placeConformance("pods", {
  describe,
  it: leavingNothing(space, it),
  layer: backend(space, "dials its parent", { command: ["node", "place.mjs"] }),
  limit
})

describe("a service on a pod", () => {
  it.live("[C35] whose owner is killed ends with its finalizers, and so does its runner", () =>
    leavesNothing(
      space.name,
      Effect.gen(function* () {
        const stage = yield* Stage.makeFor(host)
        const { metadata, spec } = ParentPod.template(space.name, {
          stage: stage.path,
          bend: (spec) => ({ ...spec, containers: [{ ...spec.containers[0], command: ["node", "owner.mjs"] }] })
        })
        yield* Effect.acquireRelease(
          create(space.name, "pods", { metadata: { ...metadata, name: "owner" }, spec }),
          () => remove(space.name, "pods", "owner")
        )
        yield* stage.said("service", "started")
        yield* kill(space.name, "owner")
        yield* stage.said("service", "finalized")
        yield* until(() => processes(space.name).length === 0, "no process is left")
      })
    )
  )
})
