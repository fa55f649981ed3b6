/** Checks the invariants of every pool that has closed, after every test in memory [C108]. */
import { assert } from "@effect/vitest"
import type * as Tracer from "effect/Tracer"
import type { PoolEngine } from "../../../src/pool/engine/PoolEngine.ts"
import type { PoolEvent, Totals } from "../../../src/pool/status/PoolEvent.ts"

/** Checks that every call has ended exactly once. */
export const checkTotals = ({ calls, failed, interrupted, succeeded }: Totals): void =>
  assert.strictEqual(calls, succeeded + failed + interrupted, "calls = succeeded + failed + interrupted")

/** Checks that every span has ended exactly once. */
export const checkSpans = (spans: ReadonlyArray<Tracer.Span>, ends: ReadonlyMap<Tracer.Span, number>): void => {
  for (const span of spans) assert.strictEqual(ends.get(span) ?? 0, 1, `span ${span.name} was ended once`)
}

/** Checks that the engine holds no lost call and no runner. */
export const checkEngine = (engine: PoolEngine | undefined): void => {
  if (engine === undefined) return
  assert.strictEqual(engine.unanswered.lost.size, 0, "no lost call is left")
  assert.strictEqual(engine.runners.size, 0, "no runner is left in the engine")
}

type State = "booting" | "ready" | "over"

/** Checks the order of each runner's events: its boot, its one end, and after that only a late reason. */
export const checkEvents = (events: ReadonlyArray<PoolEvent>): void => {
  const states = new Map<string, State>()
  for (const event of events) {
    if (!("runner" in event) || event._tag === "LateReason") continue
    const { _tag, runner } = event
    const state = states.get(runner)
    const where = `${_tag} of runner ${runner}, which is ${state ?? "not known"}`
    assert.notStrictEqual(state, "over", where)
    switch (_tag) {
      case "BootStarted":
        assert.isUndefined(state, where)
        states.set(runner, "booting")
        break
      case "RunnerReady":
        assert.notStrictEqual(state, "ready", where)
        states.set(runner, "ready")
        break
      case "BootFailed":
        // A runner that ends soon after it was ready is also reported as a failed boot, before it is reported as gone.
        if (state !== "ready" || event.cause._tag !== "EndedEarly") states.set(runner, "over")
        break
      case "BootGivenUp":
      case "RunnerGone":
        states.set(runner, "over")
        break
      default:
        break
    }
  }
  for (const [runner, state] of states) assert.strictEqual(state, "over", `runner ${runner} has come to an end`)
}
