// What a first program imports: the barrel of effect and our public door.
import { Effect, Schema, Stream } from "effect"
import { Flame, FlameRunner } from "../../src/index.ts"
import { define } from "./define.mjs"

FlameRunner.serve(Object.values(define({ Effect, Flame, Schema, Stream }))).pipe(Flame.runMain)
