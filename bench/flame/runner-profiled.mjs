// The runner of profile.mjs: the same functions, and two that drive its profiler.
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"
import { FlameRunner, runMain } from "../../src/runner.ts"
import { defineControl } from "./define.mjs"
import { functions } from "./functions.mjs"
import { startProfile, stopProfile } from "./profiler.mjs"

const control = defineControl({ Flame, Schema })
const start = Flame.implement(control.start, () => Effect.promise(startProfile))
const stop = Flame.implement(control.stop, () => Effect.map(Effect.promise(stopProfile), JSON.stringify))

FlameRunner.serve([...Object.values(functions), start, stop]).pipe(runMain)
