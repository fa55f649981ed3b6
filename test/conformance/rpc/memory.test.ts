import { Layer } from "effect"
import { describe, it } from "vitest"
import { FlameLayer } from "../../../src/index.ts"
import { Served, Things } from "./group.ts"
import { rpcConformance } from "./suite.ts"

rpcConformance("memory", {
  describe,
  it,
  layer: FlameLayer.test([Things]).pipe(Layer.provide(Served), Layer.orDie)
})
