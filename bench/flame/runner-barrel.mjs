// The runner with the imports of a first program: the barrel of effect and the main door.
import { Effect, Schema, Stream } from "effect"
import { Flame, FlameRunner } from "../../src/index.ts"
import { define } from "./define.mjs"

FlameRunner.serve(Object.values(define({ Effect, Flame, Schema, Stream }))).pipe(Flame.runMain)
