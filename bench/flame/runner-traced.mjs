// The runner of the variant `traced`: the functions, and a tracer.
import * as Effect from "effect/Effect"
import { FlameRunner, runMain } from "../../src/runner.ts"
import { functions } from "./functions.mjs"
import { tracer } from "./tracer.mjs"

FlameRunner.serve(Object.values(functions)).pipe(Effect.provide(tracer), runMain)
