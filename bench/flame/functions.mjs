// The functions through the thin doors: only the modules that they use.
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Flame from "../../src/Flame.ts"
import { define } from "./define.mjs"

export const functions = define({ Effect, Flame, Schema })
