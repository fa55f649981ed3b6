/** Runs the workflow twice under one id, and once with a text that has no words. */
import { strict as assert } from "node:assert"
import { run } from "../run.ts"

const said = await run("workflow")
assert.match(said, /the report has 8 words/)
assert.match(said, /once more: 8 words/)
assert.match(said, /no report: there is no text to count/)
assert.equal(said.match(/counted \d words/g)?.length, 2, "an activity that has its result does not run again")
console.log("ok: activities call functions, once for each id, and keep their typed errors")
