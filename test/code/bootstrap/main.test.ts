import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { Cause, Effect } from "effect"
import * as Flame from "../../../src/Flame.ts"
import { environment, feature } from "../../fixtures/code/functions.ts"
import { fixture, pool } from "./kit.ts"

describe("a runner that has nothing but Node", () => {
  it.live(
    "keeps the features of the language and of Node, and leaves no trace of its start in the program [C256]",
    () =>
      Effect.gen(function* () {
        const names = ["await", "json", "wasm", "import", "worker", "sqlite", "asset", "names", "main"]
        const answers = yield* Effect.forEach(names, (name) => Flame.call(feature, { name }))
        assert.deepStrictEqual(answers, [
          "top-level await",
          "json",
          "wasm 5",
          "imported later",
          "worker",
          "sqlite",
          "an asset",
          "Named nameOf",
          "false"
        ])
        assert.deepStrictEqual(yield* Flame.call(environment), [])
        // The line of the source, as an editor shows it.
        const lines = readFileSync(fixture("Features.ts"), "utf8").split("\n")
        const line = lines.findIndex((text) => text.includes("from a line of the source")) + 1
        const cause = yield* Effect.flip(Effect.sandbox(Flame.call(feature, { name: "fails" })))
        assert.include(Cause.pretty(cause), `${fixture("Features.ts")}:${line}:`)
      }).pipe(Effect.provide(pool({ entry: fixture("runner.ts") })))
  )
})
