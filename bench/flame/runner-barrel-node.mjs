// The runner with the barrel of @effect/platform-node, for a function that reads a file.
import { NodeServices } from "@effect/platform-node"
import { Effect, Schema, Stream } from "effect"
import { Flame, FlameRunner } from "../../src/index.ts"
import { define } from "./define.mjs"

FlameRunner.serve(Object.values(define({ Effect, Flame, Schema, Stream }))).pipe(
  Effect.provide(NodeServices.layer),
  Flame.runMain
)
