import { assert, it } from "@effect/vitest"
import * as Keys from "../../../src/cli/screen/Keys.ts"

it("each key of a chunk counts, also Ctrl-C after others [C287]", () => {
  assert.deepStrictEqual(Keys.press(0, "jj\u0003"), { scroll: 2, end: "interrupt" })
  assert.deepStrictEqual(Keys.press(0, "\u001b[B\u001b[Bq\u0003"), { scroll: 2, end: "quit" })
  assert.deepStrictEqual(Keys.press(5, "\u001b[6~k\u001b[A "), { scroll: 23, end: undefined })
  assert.deepStrictEqual(Keys.press(5, "x\u001b[1;5Cg"), { scroll: 0, end: undefined })
  assert.deepStrictEqual(Keys.press(5, "\u001b"), { scroll: 5, end: "quit" })
})
