/** Groups of `effect/rpc` on pods: the suite that child processes and memory pass too. */
import { describe, it } from "@effect/vitest"
import { rpcConformance } from "../conformance/rpc/suite.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { backend, leavingNothing, limit } from "./kit/Suite.ts"

const space = Namespaces.ofFile("groups")

rpcConformance("pods", {
  describe,
  it: leavingNothing(space, it),
  layer: backend(space, "dials its parent", { command: ["node", "groups.mjs"] }),
  limit
})
