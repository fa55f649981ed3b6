import { assert, it } from "@effect/vitest"
import * as Logs from "../../../src/cli/screen/Logs.ts"
import { painter } from "../../../src/cli/screen/Style.ts"

const plain = painter(false)

it("a line of a parent has its time, runner, function and level; anything else is no line", () => {
  const line = Logs.ofParent(
    JSON.stringify({ at: 0, level: "WARN", pool: "app", runner: "app-1", function: "resize", message: "slow" })
  )!
  assert.match(
    Logs.worded({ ...line, at: Date.UTC(2026, 0, 1, 9, 8, 7) }, plain),
    /^09:08:07\.000 app-1 resize WARN slow$/
  )
  assert.isUndefined(Logs.ofParent("no json"))
  assert.isUndefined(Logs.ofParent("{}"))
})

it("a line of a pod has its time in front, and keeps blanks", () => {
  const line = Logs.ofPod("app-1", "2026-01-01T09:08:07.123456789Z   indented")
  assert.deepStrictEqual(line, { at: Date.UTC(2026, 0, 1, 9, 8, 7, 123), runner: "app-1", message: "  indented" })
  assert.strictEqual(Logs.ofPod("app-1", "no time here").message, "no time here")
})

it("text of a runner cannot move the cursor or forge a line", () => {
  const text = Logs.worded({ at: 0, runner: "app-1", message: "\u001b[2J\u001b]0;x\u0007a\r\nb" }, plain)
  for (const control of ["\u001b", "\r", "\u0007"]) assert.notInclude(text, control)
  assert.strictEqual(text.split("\n")[1], "  b")
})

it("the names of a runner, function and level cannot either", () => {
  const text = Logs.worded({ at: 0, runner: "a\u001b[2J", function: "f\u009b", level: "x\r", message: "m" }, plain)
  for (const control of ["\u001b", "\u009b", "\r"]) assert.notInclude(text, control)
})
