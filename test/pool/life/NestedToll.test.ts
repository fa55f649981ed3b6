import { assert, describe, it } from "@effect/vitest"
import { cancelPrice, failuresPerSecond, mostUnread, NestedToll } from "../../../src/pool/life/NestedToll.ts"

const make = () => {
  let now = 0
  let due: { at: number; f: () => void } | undefined
  const link = {
    buffered: 0,
    closed: false,
    isPaused: false,
    turns: [] as Array<() => void>,
    later: (f: () => void) => void link.turns.push(f),
    pause: () => void (link.isPaused = true),
    resume: () => void (link.isPaused = false)
  }
  const timer = {
    now: () => now,
    after: (millis: number, f: () => void) => (due = { at: now + millis, f }) as never
  }
  const turn = () => link.turns.splice(0).forEach((f) => f())
  /** Lets time pass, and runs the timers that are due. */
  const pass = (millis: number) => {
    const until = now + millis
    turn()
    while (due !== undefined && due.at <= until) {
      const { at, f } = due
      due = undefined
      now = at
      f()
    }
    now = until
  }
  return { link, pass, toll: new NestedToll(link, timer) }
}

describe("the toll on failing nested calls", () => {
  it("allows failures at the rate at which time pays for them [C205]", () => {
    const { link, pass, toll } = make()
    let failures = 0
    for (let millis = 0; millis < 10_000; millis++) {
      while (!link.isPaused) {
        toll.charge(1)
        failures++
      }
      pass(1)
    }
    assert.isAtLeast(failures, 9 * failuresPerSecond)
    assert.isAtMost(failures, 10.5 * failuresPerSecond)
  })

  it("takes less for a cancel, and nothing for occasional failures", () => {
    const { link, pass, toll } = make()
    for (let i = 0; i < 100 / cancelPrice - 1; i++) toll.charge(cancelPrice)
    assert.isFalse(link.isPaused)
    pass(1_000)
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 90; i++) toll.charge(1)
      assert.isFalse(link.isPaused)
      pass(1_000)
    }
  })

  it("pauses a runner that leaves the answers in its connection [C206]", () => {
    const { link, pass, toll } = make()
    link.buffered = mostUnread + 1
    toll.onFrame()
    assert.isTrue(link.isPaused)
    pass(1_000)
    assert.isTrue(link.isPaused)
    link.buffered = 0
    pass(10)
    assert.isFalse(link.isPaused)
  })

  it("ignores a closed link", () => {
    const { link, pass, toll } = make()
    for (let i = 0; i < 200; i++) toll.charge(1)
    link.closed = true
    pass(10_000)
    assert.isTrue(link.isPaused)
  })
})
