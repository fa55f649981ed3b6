/** Runs the suite for streams, which child processes and memory pass too, on pods. */
import { describe, it } from "@effect/vitest"
import { streamConformance } from "../conformance/stream/suite.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { backend, leavingNothing, limit } from "./kit/Suite.ts"

const space = Namespaces.ofFile("stream")

streamConformance("pods", {
  describe,
  it: leavingNothing(space, it),
  // One of the items has 100 MiB.
  layer: backend(space, "dials its parent", {
    resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "768Mi" } }
  }),
  limit
})
