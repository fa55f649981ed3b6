import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { thorough } from "../fixtures/thorough.ts"

/** `npm run sim:stack` plays thousands. */
const schedules = thorough ? 60 : 15

/** Plays schedules in a separate process, because the module loader of the test runner does not follow virtual time. */
const play = (schedules: number) => {
  const main = join(import.meta.dirname, "main.ts")
  const args = [main, `--schedules=${schedules}`, "--seed=1"]
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { encoding: "utf8" })
  return { status, said: stdout + stderr, calls: /^(\d+) calls/m.exec(stdout)?.[1] }
}

describe("a parent and its runners in memory, on virtual time", () => {
  it("[C240] break no rule under random calls, faults, resizes and closes", { timeout: 300_000 }, () => {
    const { said, status } = play(schedules)
    assert.strictEqual(status, 0, said)
    assert.include(said, `in ${schedules} schedules from seed 1: nothing found`)
  })
})
