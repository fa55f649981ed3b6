/** A runner that serves all functions of the suites for every backend. */
import * as Effect from "effect/Effect"
import { runMain, serve } from "../../../src/FlameRunner.ts"
import { conformanceFunctions } from "../../../src/testing/ConformanceFunctions.ts"
import { Offset, streamFunctions } from "../../conformance/stream/functions.ts"
import { all } from "../../fixtures/conformance-process/functions.ts"

serve([...conformanceFunctions, ...streamFunctions, ...all]).pipe(Effect.provide(Offset.layer), runMain)
