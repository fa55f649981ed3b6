import { assert, it } from "@effect/vitest"
import { spoken } from "../../src/time/Spoken.ts"

it.each([
  [0, "0 ms"],
  [0.4, "0 ms"],
  [249.6, "250 ms"],
  [999.7, "1 s"],
  [1_234.567, "1.2 s"],
  [14_999.999, "15 s"],
  [59_960, "1 min"],
  [90_000, "1.5 min"],
  [600_000, "10 min"],
  [6 * 3_600_000, "6 h"],
  [Infinity, "ever"]
])("the duration of %d ms reads %s", (millis, text) => {
  assert.strictEqual(spoken(millis), text)
})
