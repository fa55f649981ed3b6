import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { QuotaGate } from "../../../src/kubernetes/hub/QuotaGate.ts"
import { withoutJitter } from "../kit/NoJitter.ts"

/** A quota with room for that many pods, and the attempts that were made. */
class Quota {
  room = 0
  readonly tries: Array<string> = []
  readonly gate = new QuotaGate()

  /** Tries to create a pod until the quota has room, as a boot does. */
  have(name: string): Effect.Effect<void> {
    const attempt = Effect.sync(() => {
      this.tries.push(name)
      return this.room-- > 0
    })
    const once = this.gate.pass(attempt, (isMade) => !isMade)
    return Effect.asVoid(Effect.repeat(once, { until: (isMade) => isMade }))
  }
}

describe("the gate before a full quota", () => {
  it.effect("lets all creates through while none is refused", () =>
    Effect.gen(function* () {
      const quota = new Quota()
      quota.room = 3
      yield* Effect.all([quota.have("a"), quota.have("b"), quota.have("c")], { concurrency: 3 })
      assert.deepStrictEqual(quota.tries, ["a", "b", "c"])
    })
  )

  it.effect("lets one create try for all while the quota is full, with growing pauses of up to 15 s", () =>
    Effect.gen(function* () {
      const quota = new Quota()
      const waiting = yield* Effect.forkChild(
        Effect.all([quota.have("a"), quota.have("b"), quota.have("c")], { concurrency: 3 }),
        { startImmediately: true }
      )
      yield* TestClock.adjust(0)
      const first = quota.tries.length
      assert.isAtMost(first, 3)
      const after: Array<number> = []
      for (let second = 0; second < 60; second++) {
        yield* TestClock.adjust("1 second")
        after.push(quota.tries.length - first)
      }
      // After 1, 3, 7, 15, 30, 45 and 60 s.
      assert.deepStrictEqual(
        [1, 2, 3, 6, 7, 14, 15, 29, 30, 60].map((second) => after[second - 1]),
        [1, 1, 2, 2, 3, 3, 4, 4, 5, 7]
      )
      yield* Fiber.interrupt(waiting)
    }).pipe(withoutJitter)
  )

  it.effect("opens when an attempt succeeds, and the others follow at once", () =>
    Effect.gen(function* () {
      const quota = new Quota()
      const waiting = yield* Effect.forkChild(
        Effect.all(
          ["a", "b", "c", "d"].map((name) => quota.have(name)),
          { concurrency: 4 }
        ),
        { startImmediately: true }
      )
      yield* TestClock.adjust(0)
      quota.room = 4
      yield* TestClock.adjust("1 second")
      assert.isDefined(waiting.pollUnsafe())
      yield* Fiber.join(waiting)
    })
  )

  it.effect("tries at once when a pod of this parent is gone", () =>
    Effect.gen(function* () {
      const quota = new Quota()
      const waiting = yield* Effect.forkChild(quota.have("a"), { startImmediately: true })
      yield* TestClock.adjust("7 seconds")
      const tries = quota.tries.length
      quota.room = 1
      quota.gate.wake()
      yield* TestClock.adjust(0)
      assert.strictEqual(quota.tries.length, tries + 1)
      yield* Fiber.join(waiting)
    })
  )

  it.effect("passes the turn on when the create that tries is interrupted", () =>
    Effect.gen(function* () {
      const quota = new Quota()
      const first = yield* Effect.forkChild(quota.have("a"), { startImmediately: true })
      const second = yield* Effect.forkChild(quota.have("b"), { startImmediately: true })
      yield* TestClock.adjust(0)
      yield* Fiber.interrupt(first)
      quota.room = 1
      yield* TestClock.adjust("2 seconds")
      assert.isDefined(second.pollUnsafe())
    })
  )

  it.effect("starts with short pauses again when a quota fills up anew", () =>
    Effect.gen(function* () {
      const quota = new Quota()
      const first = yield* Effect.forkChild(quota.have("a"), { startImmediately: true })
      yield* TestClock.adjust("40 seconds")
      quota.room = 1
      yield* TestClock.adjust("15 seconds")
      yield* Fiber.join(first)
      const second = yield* Effect.forkChild(quota.have("b"), { startImmediately: true })
      yield* TestClock.adjust(0)
      quota.room = 1
      yield* TestClock.adjust("1 second")
      assert.isDefined(second.pollUnsafe())
    })
  )
})
