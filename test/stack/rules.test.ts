import { assert, describe, it } from "@effect/vitest"
import * as Exit from "effect/Exit"
import { FlameError, RunnerLost } from "../../src/error/FlameError.ts"
import { Killed } from "../../src/error/RunnerExit.ts"
import { type Job, LedgerState } from "./Functions.ts"
import type { Operation } from "./Operations.ts"
import * as Rules from "./Rules.ts"
import { make } from "./Schedule.ts"
import { shrink } from "./Shrink.ts"

const { options } = make(1, 0)
const well: Job = { id: 1, millis: 0, ends: "well" }

/** A ledger in which job 1 has run from and to these times. */
const ran = (...runs: ReadonlyArray<readonly [from: number, to: number]>): LedgerState => {
  let now = 0
  const ledger = new LedgerState(
    () => now,
    () => {}
  )
  for (const [from, to] of runs) {
    now = from
    const execution = ledger.begin(1, "runner")
    now = to
    ledger.end(execution)
  }
  return ledger
}

const called = (often: boolean, overrides: Partial<Operation> = {}): Operation => ({
  doing: { _tag: "Call", often, job: well, timeout: 100 },
  begun: 0,
  fiber: undefined,
  seen: [],
  interrupted: undefined,
  ended: 50,
  exit: Exit.succeed(1),
  ends: 1,
  ...overrides
})

const lost = (mayHaveRun: boolean) =>
  Exit.fail(
    new FlameError({
      reason: new RunnerLost({
        pool: "pool",
        function: "stack/once",
        runner: "runner",
        exit: new Killed({ signal: "SIGKILL" }),
        gone: true,
        mayHaveRun
      })
    })
  )

describe("the rules of the full-stack simulation", () => {
  it("accept a call that ran once and returned its own value within its timeout", () => {
    assert.isUndefined(Rules.violation(called(false), ran([0, 50]), options))
  })

  it.each([
    ["never ended", called(false, { ended: undefined }), ran([0, 50])],
    ["ended 2 times", called(false, { ends: 2 }), ran([0, 50])],
    ["of a budget", called(false, { ended: 101 }), ran([0, 50])],
    ["the interruption", called(false, { interrupted: 0, ended: options.cancelGrace + 1 }), ran([0, 50])],
    ["ran 2 times", called(false), ran([0, 10], [20, 30])],
    ["overlap", called(true), ran([0, 30], [20, 40])],
    ["idempotent call ran 4 times", called(true), ran([0, 1], [2, 3], [4, 5], [6, 7])],
    ["never ran", called(false), ran()],
    ["got 2", called(false, { exit: Exit.succeed(2) }), ran([0, 50])],
    ["died here", called(false, { exit: Exit.die(new Error("no")) }), ran([0, 50])],
    ["looks interrupted", called(false, { exit: Exit.interrupt(1) }), ran([0, 50])],
    ["ran, though", called(false, { exit: lost(false) }), ran([0, 50])]
  ])("an operation that has done wrong breaks the rule '%s'", (words, operation, ledger) => {
    assert.include(Rules.violation(operation, ledger, options), words)
  })

  it("accept a call that may have run before its runner was lost", () => {
    assert.isUndefined(Rules.violation(called(false, { exit: lost(true) }), ran([0, 50]), options))
  })

  it("shrink a schedule to the steps that break a rule", async () => {
    const schedule = make(7, 20)
    const guilty = schedule.steps[11]
    const finding = await shrink(schedule, "before", async (less) =>
      less.steps.includes(guilty as never) ? "after" : undefined
    )
    assert.deepStrictEqual(finding, { schedule: { ...schedule, steps: [guilty as never] }, broken: "after" })
  })
})
