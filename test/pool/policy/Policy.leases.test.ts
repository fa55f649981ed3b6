import { assert, describe, it } from "@effect/vitest"
import { PoolProbe, warm } from "./PolicyProbe.ts"

describe("Policy: leases", () => {
  it("get a ready runner at once, and hold no slot of it", () => {
    const probe = warm(1)
    assert.deepStrictEqual(probe.openLease("l"), ["l leases 0 as 0"])
    assert.strictEqual(probe.ticket("l").lease, 0)
    assert.deepStrictEqual(probe.submit("a"), ["a on 0"])
  })

  it("boot a runner if none is ready", () => {
    const probe = new PoolProbe()
    assert.deepStrictEqual(probe.openLease("l"), ["boot 0"])
    assert.deepStrictEqual(probe.ready(0), ["l leases 0 as 0"])
  })

  it("run their calls on their runner only, in order, and boot none for them", () => {
    const probe = warm(2)
    probe.openLease("l")
    assert.deepStrictEqual(probe.submit("a", { lease: 0 }), ["a on 0"])
    assert.deepStrictEqual(probe.submit("b", { lease: 0 }), [])
    assert.deepStrictEqual(probe.submit("c", { lease: 0 }), [])
    assert.deepStrictEqual(probe.releaseAll("a", "b"), ["b on 0", "c on 0"])
  })

  it("run their calls in turn with other calls", () => {
    const probe = warm(1, { max: 1 })
    probe.openLease("l")
    probe.submitAll("a", "b")
    probe.submit("c", { lease: 0 })
    probe.submit("d")
    assert.deepStrictEqual(probe.releaseAll("a", "b", "c"), ["b on 0", "c on 0", "d on 0"])
  })

  it("keep their calls waiting while their runner is unresponsive", () => {
    const probe = warm(1, { concurrency: 2 })
    probe.openLease("l")
    probe.submit("a", { lease: 0 })
    probe.send({ _tag: "Unresponsive", runner: 0 })
    assert.deepStrictEqual(probe.submit("b", { lease: 0 }), [])
    assert.deepStrictEqual(probe.submit("c", { lease: 0 }), [])
    assert.deepStrictEqual(probe.send({ _tag: "Responsive", runner: 0 }), ["b on 0"])
    assert.deepStrictEqual(probe.release("a"), ["c on 0"])
  })

  it("keep their runner from idle stop until idleTimeToLive after the lease", () => {
    const probe = warm(1, { idleTimeToLive: 500 })
    probe.openLease("l")
    assert.deepStrictEqual(probe.wait(5000), [])
    probe.closeLease(0)
    assert.deepStrictEqual(probe.wait(499), [])
    assert.deepStrictEqual(probe.wait(1), ["drain 0 idle"])
  })

  it("make the pool ignore the idle answer of a runner that was leased meanwhile", () => {
    const probe = warm(1, { idleTimeToLive: 500, asksIdle: true })
    assert.deepStrictEqual(probe.wait(500), ["ask 0"])
    probe.openLease("l")
    assert.deepStrictEqual(probe.answer(0, true), [])
    assert.strictEqual(probe.phases, "0 ready")
  })

  it("stay apart from other calls while there is room", () => {
    const probe = warm(2)
    assert.deepStrictEqual(probe.openLease("l"), ["l leases 0 as 0"])
    assert.deepStrictEqual(probe.submit("a"), ["a on 1"])
    probe.release("a")
    assert.deepStrictEqual(probe.openLease("m"), ["m leases 1 as 1"])
  })

  it("boot a runner each if requested at one moment, and share in turn if max is reached", () => {
    const probe = new PoolProbe({ max: 2 })
    assert.deepStrictEqual(
      ["l", "m", "n", "o"].flatMap((_) => probe.openLease(_)),
      ["boot 0", "boot 1"]
    )
    assert.deepStrictEqual(probe.ready(0), ["l leases 0 as 0"])
    assert.deepStrictEqual(probe.ready(1), ["m leases 1 as 1", "n leases 0 as 2", "o leases 1 as 3"])
  })

  it("share rather than wait for a boot that backs off", () => {
    const probe = warm(1, { max: 2 })
    probe.openLease("l")
    assert.deepStrictEqual(probe.openLease("m"), ["boot 1"])
    assert.deepStrictEqual(probe.failBoot(1), ["m leases 0 as 1"])
  })

  it("are granted also while calls never stop waiting", () => {
    const probe = warm(1, { max: 1 })
    probe.submitAll("a", "b", "c")
    assert.deepStrictEqual(probe.openLease("l"), [])
    assert.deepStrictEqual(probe.release("a"), ["l leases 0 as 0", "b on 0"])
  })

  it("are withdrawn if interrupted while they wait", () => {
    const probe = new PoolProbe({ max: 1 })
    probe.openLease("l")
    probe.withdraw("l")
    assert.deepStrictEqual(probe.ready(0), [])
    assert.strictEqual(probe.snapshot.leases, 0)
  })

  it("let their calls run beyond maxCalls and maxLifetime, and other calls not", () => {
    const probe = warm(1, { max: 1, maxCalls: 1 })
    probe.openLease("l")
    probe.submit("a", { lease: 0 })
    assert.deepStrictEqual(probe.release("a"), [])
    assert.deepStrictEqual(probe.submit("b"), [])
    assert.deepStrictEqual(probe.submit("c", { lease: 0 }), ["c on 0"])
    assert.deepStrictEqual(probe.closeLease(0), [])
    assert.deepStrictEqual(probe.release("c"), ["drain 0 maxCalls"])
  })

  it("reject calls if their runner takes no more, or if they are over", () => {
    const probe = warm(1)
    probe.openLease("l")
    probe.submit("a", { lease: 0 })
    probe.submit("b", { lease: 0 })
    assert.deepStrictEqual(probe.send({ _tag: "RunnerDraining", runner: 0 }), ["drain 0 draining", "b RunnerLost"])
    assert.deepStrictEqual(probe.submit("c", { lease: 0 }), ["c RunnerLost"])
    assert.deepStrictEqual(probe.requeue("a"), ["a RunnerLost"])
    probe.closeLease(0)
    assert.deepStrictEqual(probe.submit("d", { lease: 0 }), ["d LeaseClosed"])
  })

  it("reject their waiting calls when they end, and only those", () => {
    const probe = warm(1, { max: 1 })
    probe.openLease("l")
    probe.openLease("m")
    probe.submit("a")
    probe.submit("b", { lease: 0 })
    probe.submit("c", { lease: 1 })
    assert.deepStrictEqual(probe.closeLease(0), ["b LeaseClosed"])
    assert.deepStrictEqual(probe.release("a"), ["c on 0"])
  })

  it("count with their calls and requests in queueCapacity", () => {
    const probe = warm(1, { max: 1, queueCapacity: 1 })
    probe.openLease("l")
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.submit("c", { lease: 0 }), ["c QueueFull"])
    assert.deepStrictEqual(probe.openLease("m"), ["m QueueFull"])
  })
})
