import { assert, describe, it } from "@effect/vitest"
import { after, type SessionEvent, type SessionPhase } from "../../src/runner/SessionPhase.ts"

/** The phase after a sequence of events, from an open session. */
const path = (...events: ReadonlyArray<SessionEvent>): SessionPhase =>
  events.reduce<SessionPhase>((phase, event) => after(phase, event) ?? phase, "open")

describe("the phase of a session", () => {
  it.each([
    { events: ["drain", "idle"], phase: "leaving" },
    { events: ["drain", "budgetOver", "idle"], phase: "leaving" },
    { events: ["drain", "budgetOver", "graceOver"], phase: "over" },
    { events: ["drain", "idle", "budgetOver", "graceOver"], phase: "over" },
    { events: ["linkClosed", "graceOver"], phase: "over" }
  ] as const)("after $events is $phase", ({ events, phase }) => {
    assert.strictEqual(path(...events), phase)
  })

  it("has one cancelGrace: a link that closes after it starts no second one", () => {
    assert.isUndefined(after(path("drain", "budgetOver", "graceOver"), "linkClosed"))
  })

  it("does not leave before a drain, and sends no goodbye on a closed link", () => {
    assert.strictEqual(path("idle"), "open")
    assert.strictEqual(path("linkClosed", "drain", "idle"), "closed")
  })
})
