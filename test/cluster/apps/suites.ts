/** A runner of all functions of the suites that every backend has to pass. */
import * as Effect from "effect/Effect"
import { runMain, serve } from "../../../src/FlameRunner.ts"
import { conformanceFunctions } from "../../../src/testing/ConformanceFunctions.ts"
import { Offset, streamFunctions } from "../../conformance/stream/functions.ts"
import { all } from "../../fixtures/conformance-process/functions.ts"

serve([...conformanceFunctions, ...streamFunctions, ...all]).pipe(Effect.provide(Offset.layer), runMain)
