import { assert, it } from "@effect/vitest"
import { fail } from "../../../src/cli/doctor/Check.ts"
import * as Doctor from "../../../src/cli/screen/Doctor.ts"
import { painter } from "../../../src/cli/screen/Style.ts"

it("text of the cluster cannot move the cursor", () => {
  const lines = Doctor.linesOf(fail("x", "waits: \u001b]0;t\u0007 y", { fix: "z\u001b[2J" }), painter(false), 80)
  assert.deepStrictEqual(lines, ["\u2717 waits: y", "  fix: z"])
})
