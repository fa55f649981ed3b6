import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import * as FlameRunner from "../../src/FlameRunner.ts"
import { functions } from "./functions.mjs"
import { tracer } from "./tracer.mjs"

FlameRunner.serve(Object.values(functions)).pipe(Effect.provide(tracer), Flame.runMain)
