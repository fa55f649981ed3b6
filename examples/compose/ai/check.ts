/** Runs a model that calls the tool twice, once with a text that has no words. */
import { strict as assert } from "node:assert"
import { run } from "../run.ts"

const said = await run("ai")
assert.match(said, /call 1 gave: 5/)
assert.match(said, /call 2 failed: there is no text to count/)
console.log("ok: a tool runs on a runner, and the model is told its error")
