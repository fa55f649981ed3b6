import { assert, describe, it } from "@effect/vitest"
import * as Policy from "../../../src/pool/policy/Policy.ts"
import { PoolProbe, warm } from "./PolicyProbe.ts"

describe("Policy: resize", () => {
  it("boots up to a higher min, and runs waiting calls under a higher max", () => {
    const probe = warm(1, { max: 1 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.resize({ max: 3 }), ["boot 1"])
    assert.deepStrictEqual(probe.resize({ max: 3, min: 3 }), ["boot 2"])
  })

  it("runs waiting calls on new slots at once", () => {
    const probe = warm(1, { max: 1 })
    probe.submitAll("a", "b", "c")
    assert.deepStrictEqual(probe.resize({ concurrency: 2 }), ["b on 0"])
  })

  it("gives up boots first, then ends empty runners, then those whose calls end", () => {
    const probe = warm(3, { concurrency: 2, max: 4 })
    probe.submitAll("a", "b", "c", "d", "e", "f", "g")
    probe.releaseAll("a", "d", "b", "e")
    assert.strictEqual(probe.phases, "0 ready, 1 ready, 2 ready, 3 booting")
    assert.deepStrictEqual(probe.resize({ max: 3 }), ["drain 3 resize"])
    probe.gone(3)
    assert.deepStrictEqual(probe.resize({ max: 1 }), ["drain 1 resize"])
    assert.strictEqual(probe.phases, "0 ready, 1 draining, 2 retiring")
  })

  it("ends a runner that has had its calls under a lower maxCalls", () => {
    const probe = warm(1, { maxCalls: 5 })
    probe.submit("a")
    probe.release("a")
    assert.deepStrictEqual(probe.resize({ maxCalls: 1 }), ["drain 0 maxCalls"])
  })

  it("does not take a consolidated runner back that has had its calls under a lower maxCalls", () => {
    const probe = warm(2, { concurrency: 2, idleTimeToLive: 500, max: 2 })
    probe.submitAll("a", "b")
    probe.wait(500)
    assert.strictEqual(probe.phases, "0 retiring, 1 ready")
    probe.resize({ maxCalls: 1 })
    assert.deepStrictEqual(probe.submit("c"), [])
    assert.deepStrictEqual(probe.release("a"), ["drain 0 maxCalls"])
    assert.deepStrictEqual(probe.gone(0), ["boot 2"])
    assert.deepStrictEqual(probe.ready(2), ["c on 2"])
  })

  it("sets no timer for a runner that is already lost", () => {
    const probe = warm(2, { concurrency: 2, idleTimeToLive: 500, max: 2 })
    probe.submitAll("a", "b")
    probe.wait(500)
    assert.strictEqual(probe.phases, "0 retiring, 1 ready")
    probe.lost(0)
    probe.lost(1)
    probe.resize({ maxLifetime: 1000, idleTimeToLive: undefined })
    assert.isUndefined(Policy.wakeAt(probe.pool))
  })

  it("judges idle time and age by the new limits", () => {
    const probe = warm(2, { idleTimeToLive: undefined })
    probe.wait(5000)
    probe.resize({ idleTimeToLive: 6000, maxLifetime: 5500 })
    assert.deepStrictEqual(probe.wait(500), ["drain 0 maxLifetime", "drain 1 maxLifetime"])
  })
})

describe("Policy: closing", () => {
  it("rejects waiting calls, lets running calls end, and boots nothing [C59] [C61]", () => {
    const probe = warm(2, { min: 2, max: 3 })
    probe.submitAll("a", "b", "c", "d")
    assert.deepStrictEqual(probe.close(), ["c PoolClosed", "d PoolClosed", "drain 2 close"])
    assert.deepStrictEqual(probe.submit("e"), ["e PoolClosed"])
    assert.deepStrictEqual(probe.openLease("f"), ["f PoolClosed"])
    assert.deepStrictEqual(probe.release("a"), ["drain 0 close"])
    assert.deepStrictEqual(probe.release("b"), ["drain 1 close"])
    for (const runner of [0, 1, 2]) assert.deepStrictEqual(probe.gone(runner), [])
    assert.strictEqual(probe.snapshot.runners, 0)
    assert.isUndefined(Policy.wakeAt(probe.pool))
    assert.deepStrictEqual(probe.close(), [])
  })

  it("runs waiting casts on the existing slots, and then ends the runner", () => {
    const probe = warm(1, { max: 1 })
    probe.submit("a")
    probe.submit("cast", { cast: true })
    probe.submit("b")
    assert.deepStrictEqual(probe.close(), ["b PoolClosed"])
    assert.deepStrictEqual(probe.release("a"), ["cast on 0"])
    assert.deepStrictEqual(probe.release("cast"), ["drain 0 close"])
  })

  it("boots nothing for waiting casts", () => {
    const probe = warm(1, { max: 2 })
    probe.submit("a")
    assert.deepStrictEqual(probe.submit("cast", { cast: true }), ["boot 1"])
    assert.deepStrictEqual(probe.close(), ["drain 1 close"])
    assert.deepStrictEqual(probe.gone(1), [])
    assert.deepStrictEqual(probe.release("a"), ["cast on 0"])
  })

  it("gives casts up when the last runner that could serve them ends", () => {
    const probe = warm(1, { max: 1 })
    probe.submit("a")
    probe.submit("cast", { cast: true })
    probe.close()
    assert.deepStrictEqual(probe.lost(0), ["cast PoolClosed"])
    assert.deepStrictEqual(probe.requeue("a"), ["a PoolClosed"])
  })

  it("ends idle runners at once, leased ones too, and rejects their calls", () => {
    const probe = warm(2)
    probe.openLease("l")
    assert.deepStrictEqual(probe.close(), ["drain 0 close", "drain 1 close"])
    assert.deepStrictEqual(probe.submit("p", { lease: 0 }), ["p PoolClosed"])
    assert.deepStrictEqual(probe.closeLease(0), [])
  })

  it("gives up boots, and ignores one that succeeds meanwhile", () => {
    const probe = new PoolProbe({ min: 1 })
    probe.tick()
    assert.deepStrictEqual(probe.close(), ["drain 0 close"])
    assert.deepStrictEqual(probe.ready(0), [])
    probe.gone(0)
    assert.strictEqual(probe.snapshot.runners, 0)
  })
})
