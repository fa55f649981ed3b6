// The runner of profile.mjs: the same functions, and two that drive its profiler.
import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import * as FlameRunner from "../../src/FlameRunner.ts"
import { functions } from "./functions.mjs"
import { control } from "./profiling.mjs"
import { startProfile, stopProfile } from "./profiler.mjs"

const start = Flame.implement(control.start, () => Effect.promise(startProfile))
const stop = Flame.implement(control.stop, () => Effect.map(Effect.promise(stopProfile), JSON.stringify))

FlameRunner.serve([...Object.values(functions), start, stop]).pipe(Flame.runMain)
