/** Streams from pods: the suite that child processes and memory pass too. */
import { describe, it } from "@effect/vitest"
import { streamConformance } from "../conformance/stream/suite.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { backend, leavingNothing, limit } from "./kit/Suite.ts"

const space = Namespaces.ofFile("stream")

streamConformance("pods", {
  describe,
  it: leavingNothing(space, it),
  // an item of 100 MiB is one of them
  layer: backend(space, "dials its parent", {
    resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { memory: "768Mi" } }
  }),
  limit
})
