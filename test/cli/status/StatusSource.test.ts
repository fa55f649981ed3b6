import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { documentOf, NoStatus } from "../../../src/cli/status/StatusSource.ts"

it.effect("JSON that is no status, from another program at the port, is no answer", () =>
  Effect.gen(function* () {
    for (const text of ["null", "1", "[]", "{}", "x"]) {
      assert.instanceOf(yield* Effect.flip(documentOf(text)), NoStatus)
    }
  })
)
