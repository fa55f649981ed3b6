import { Layer } from "effect"
import { describe, it } from "vitest"
import { FlameLayer } from "../../../src/index.ts"
import { Offset, streamFunctions } from "./functions.ts"
import { streamConformance } from "./suite.ts"

streamConformance("memory", {
  describe,
  it,
  layer: FlameLayer.test(streamFunctions).pipe(Layer.provide(Offset.layer), Layer.orDie)
})
