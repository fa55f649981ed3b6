import { assert, describe, it } from "@effect/vitest"
import type { Call } from "../../../src/pool/engine/Call.ts"
import { StoppingCalls } from "../../../src/pool/engine/StoppingCalls.ts"

/** A runner with a call that is told to stop while a ping is unanswered or not, and what becomes of the runner. */
const stopping = (isPinged: boolean) => {
  const killed: Array<string> = []
  const handle = { pongs: 5, isPinged, calls: [], cancel: () => {}, probe: () => {} }
  const runner = { handle, isStuck: false, kill: (by: string) => killed.push(by) }
  const engine = {
    runners: new Map([[0, runner]]),
    settings: { cancelGrace: 1_000, drainTimeout: 3_600_000 },
    step: () => {}
  }
  const timer = { now: () => 0, schedule: () => {}, after: () => {}, afterReading: (then: () => void) => then() }
  const call = { runner: 0, depth: 0, phase: "stopping", fn: { name: "work" } }
  const calls = new StoppingCalls(engine as never, { stuck: () => {} } as never, timer as never)
  calls.begin(call as unknown as Call, 0)
  return { handle, killed, expire: () => calls.expired(call as unknown as Call) }
}

describe("a call that does not stop within cancelGrace", () => {
  it("has its runner killed at once where the only answer is to a ping from before the cancellation [C333]", () => {
    const { expire, handle, killed } = stopping(true)
    handle.pongs++
    expire()
    assert.deepStrictEqual(killed, ["stuck call work"])
  })

  it("leaves its runner the time to drain where the runner has answered since [C333]", () => {
    for (const isPinged of [true, false]) {
      const { expire, handle, killed } = stopping(isPinged)
      handle.pongs += isPinged ? 2 : 1
      expire()
      assert.deepStrictEqual(killed, [])
    }
  })
})
