/** Runs the suite for every backend on pods of the stock image, whose code comes from their parent. */
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import { backendConformance } from "../../src/testing/index.ts"
import * as Namespaces from "./kit/Namespaces.ts"
import { backend, leavingNothing, limit, remains } from "./kit/Suite.ts"

const space = Namespaces.ofFile("code-conformance")

const way = "dials its parent"

backendConformance("A pod that gets its code from its parent", {
  describe,
  it: leavingNothing(space, it),
  layer: backend(space, way, { code: { entry: join(import.meta.dirname, "apps/suites.ts") } }),
  silent: backend(space, way, { command: ["node", "-e", "setInterval(() => {}, 60_000)"] }),
  ending: backend(space, way, { command: ["node", "-e", "console.error('no database'); process.exitCode = 3"] }),
  remains: remains(space),
  limit
})
