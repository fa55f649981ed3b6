// The program of the image, as a deployment has it: parent and runner are one file. Here it only runs as a runner.
import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { echo, hold } from "./functions.mjs"

Flame.main({ functions: [echo, hold], app: Effect.never, flame: FlameLayer.auto({ max: 1 }) }).pipe(Flame.runMain)
