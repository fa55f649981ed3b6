/** Runs the suite for every backend, which child processes and memory pass too, on pods. */
import { describe, it } from "@effect/vitest"
import { backendConformance } from "../../src/testing/index.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { backend, leavingNothing, limit, remains, ways } from "./kit/Suite.ts"

const space = Namespaces.ofFile("conformance")

for (const way of ways) {
  backendConformance(`A pod that ${way}`, {
    describe,
    it: leavingNothing(space, it),
    layer: backend(space, way),
    silent: backend(space, way, { command: ["node", "-e", "setInterval(() => {}, 60_000)"] }),
    ending: backend(space, way, { command: ["node", "-e", "console.error('no database'); process.exitCode = 3"] }),
    remains: remains(space),
    limit
  })
}
