import { assert, describe, it } from "@effect/vitest"
import { PoolProbe, warm } from "./PolicyProbe.ts"

describe("Policy: a pool that rests", () => {
  it("ends its min runners after minIdleTimeToLive without a call, and boots min again at the next call [C350]", () => {
    const probe = warm(2, { min: 2, idleTimeToLive: 500, minIdleTimeToLive: 5_000 })
    probe.submit("a")
    assert.deepStrictEqual(probe.wait(10_000), [])
    probe.release("a")
    assert.deepStrictEqual(probe.wait(4_999), [])
    assert.deepStrictEqual(probe.wait(1), ["drain 0 idle", "drain 1 idle"])
    probe.gone(0)
    probe.gone(1)
    assert.deepStrictEqual(probe.wait(600_000), [])
    assert.deepStrictEqual(probe.submit("b"), ["boot 2", "boot 3"])
  })

  it("counts from its start if no call ever arrives, and lets boots finish first", () => {
    const probe = new PoolProbe({ min: 1, idleTimeToLive: 500, minIdleTimeToLive: 1_000 })
    assert.deepStrictEqual(probe.tick(), ["boot 0"])
    assert.deepStrictEqual(probe.wait(60_000), [])
    assert.deepStrictEqual(probe.ready(0), [])
    assert.deepStrictEqual(probe.wait(499), [])
    assert.deepStrictEqual(probe.wait(1), ["drain 0 idle"])
  })

  it("keeps its runners for a lease without calls", () => {
    const probe = warm(1, { min: 1, minIdleTimeToLive: 5_000 })
    probe.openLease("a")
    assert.deepStrictEqual(probe.wait(60_000), [])
    probe.closeLease(0)
    assert.deepStrictEqual(probe.wait(5_000), ["drain 0 idle"])
  })

  it("ends all runners although idleTimeToLive is infinite", () => {
    const probe = warm(3, { min: 1, idleTimeToLive: undefined, minIdleTimeToLive: 5_000 })
    assert.deepStrictEqual(probe.wait(5_000), ["drain 0 idle", "drain 1 idle", "drain 2 idle"])
  })

  it("asks a runner first, and asks again after a no", () => {
    const probe = warm(1, { min: 1, idleTimeToLive: 500, minIdleTimeToLive: 5_000, asksIdle: true })
    assert.deepStrictEqual(probe.wait(5_000), ["ask 0"])
    probe.answer(0, false)
    assert.deepStrictEqual(probe.wait(500), ["ask 0"])
    assert.deepStrictEqual(probe.answer(0, true), ["drain 0 idle"])
  })

  it("keeps a runner that gets a call while it is asked", () => {
    const probe = warm(1, { min: 1, minIdleTimeToLive: 5_000, asksIdle: true })
    assert.deepStrictEqual(probe.wait(5_000), ["ask 0"])
    probe.submit("a")
    probe.release("a")
    assert.deepStrictEqual(probe.answer(0, true), [])
    assert.strictEqual(probe.phases, "0 ready")
  })

  it("continues its boots while they fail, until those who wait for min have got the failure", () => {
    const probe = new PoolProbe({ min: 1, minIdleTimeToLive: 100, bootPatience: 5_000 })
    probe.tick()
    let boots = 0
    while (probe.hopeless.length === 0) {
      probe.failBoot(boots)
      probe.gone(boots++)
      while (probe.snapshot.booting === 0 && probe.hopeless.length === 0) probe.wait(100)
    }
    assert.deepStrictEqual(probe.hopeless, [["quota", boots]])
    assert.deepStrictEqual(probe.wait(600_000), [])
    assert.isTrue(probe.snapshot.resting)
  })

  it("boots min again when its options change, and counts anew", () => {
    const probe = warm(1, { min: 1, idleTimeToLive: 500, minIdleTimeToLive: 5_000 })
    probe.wait(5_000)
    probe.gone(0)
    assert.deepStrictEqual(probe.resize({ min: 2 }), ["boot 1", "boot 2"])
    probe.ready(1, 2)
    assert.deepStrictEqual(probe.wait(4_999), [])
    assert.deepStrictEqual(probe.wait(1), ["drain 1 idle", "drain 2 idle"])
  })
})
