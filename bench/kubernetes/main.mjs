// The program of the image. As in a deployment, parent and runner are one file; the benchmark runs only the runner of it.
import * as Effect from "effect/Effect"
import * as Flame from "../../src/Flame.ts"
import * as FlameLayer from "../../src/FlameLayer.ts"
import { echo, hold } from "./functions.mjs"

Flame.main({ functions: [echo, hold], app: Effect.never, flame: FlameLayer.auto({ max: 1 }) }).pipe(Flame.runMain)
