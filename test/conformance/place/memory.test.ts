import { Layer } from "effect"
import { describe, it } from "vitest"
import { FlameLayer } from "../../../src/index.ts"
import { placeFunctions } from "./services.ts"
import { placeConformance } from "./suite.ts"

placeConformance("memory", { describe, it, layer: Layer.orDie(FlameLayer.test(placeFunctions)) })
