import { assert, describe, it } from "@effect/vitest"
import { PoolProbe, warm } from "./PolicyProbe.ts"

describe("Policy: failing boots", () => {
  it("keeps waiters through a failed boot and tries again by itself [C8] [C10] [C11]", () => {
    const probe = new PoolProbe({ max: 2 })
    assert.deepStrictEqual(probe.submit("a", { cast: true }), ["boot 0"])
    assert.deepStrictEqual(probe.failBoot(0), [])
    probe.gone(0)
    assert.deepStrictEqual(probe.wait(999), [])
    assert.deepStrictEqual(probe.wait(1001), ["boot 1"])
    assert.deepStrictEqual(probe.ready(1), ["a on 1"])
    probe.release("a")
    assert.deepStrictEqual(probe.submit("b"), ["b on 1"])
  })

  it("makes one backoff of several boots that fail at once [C54]", () => {
    const probe = new PoolProbe({ max: 5 })
    probe.submitAll("a", "b", "c", "d", "e")
    for (let runner = 0; runner < 5; runner++) assert.deepStrictEqual(probe.failBoot(runner), [])
    for (let runner = 0; runner < 5; runner++) assert.deepStrictEqual(probe.gone(runner), [])
    assert.isAtMost(probe.snapshot.backoffUntil ?? Infinity, 2000)
    assert.strictEqual(probe.snapshot.failedBoots, 5)
    assert.deepStrictEqual(probe.submit("f"), [])
    assert.deepStrictEqual(probe.wait(2000), ["boot 5", "boot 6", "boot 7", "boot 8", "boot 9"])
  })

  it("backs off twice as long each time, between 1 and 30 seconds, with jitter", () => {
    const pausesOf = (seed: number) => {
      const probe = new PoolProbe({}, seed)
      probe.submit("a")
      return Array.from({ length: 8 }, (_, runner) => {
        probe.failBoot(runner)
        probe.gone(runner)
        const pause = (probe.snapshot.backoffUntil ?? 0) - probe.now
        assert.deepStrictEqual(probe.wait(pause - 1), [])
        assert.deepStrictEqual(probe.wait(1), [`boot ${runner + 1}`])
        return pause
      })
    }
    const shortest = [1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]
    for (let seed = 0; seed < 50; seed++) {
      pausesOf(seed).forEach((pause, round) => {
        assert.isAtLeast(pause, shortest[round] ?? 0)
        assert.isAtMost(pause, 2 * (shortest[round] ?? 0))
      })
    }
    assert.notDeepEqual(pausesOf(1), pausesOf(2))
    assert.deepStrictEqual(pausesOf(1), pausesOf(1))
  })

  it("does not lengthen the backoff for boots that began before it", () => {
    const probe = new PoolProbe({ max: 3 })
    probe.submitAll("a", "b", "c")
    probe.failBoot(0)
    probe.gone(0)
    const boots = probe.wait(2000)
    assert.deepStrictEqual(boots, ["boot 3"])
    // boot 1 is as old as boot 0: it may start a pause, but of the first length
    probe.failBoot(1)
    assert.isAtMost((probe.snapshot.backoffUntil ?? Infinity) - probe.now, 2000)
    probe.failBoot(2)
    probe.failBoot(3)
    assert.isAtMost((probe.snapshot.backoffUntil ?? Infinity) - probe.now, 2000)
  })

  it("grows to what the queue needs in one go when an outage of boots is over [C84]", () => {
    const probe = new PoolProbe({ max: 4, concurrency: 2 })
    probe.submit("a")
    probe.failBoot(0)
    probe.gone(0)
    assert.deepStrictEqual(probe.submitAll("b", "c", "d", "e"), [])
    assert.deepStrictEqual(probe.wait(2000), ["boot 1", "boot 2", "boot 3"])
  })

  it("forgets the backoff when a boot succeeds", () => {
    const probe = new PoolProbe({ max: 3 })
    probe.submitAll("a", "b", "c")
    probe.failBoot(0)
    probe.gone(0)
    assert.deepStrictEqual(probe.ready(1), ["a on 1", "boot 3"])
    assert.isUndefined(probe.snapshot.backoffUntil)
    probe.failBoot(3)
    assert.isAtMost((probe.snapshot.backoffUntil ?? Infinity) - probe.now, 2000)
  })

  it("fails those who wait for a cause that cannot heal, once nobody is left to serve them [C26]", () => {
    const probe = new PoolProbe({ max: 2 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.failBoot(0, "no such image", false), [])
    assert.deepStrictEqual(probe.failBoot(1, "no such image", false), ["a BootFailed", "b BootFailed"])
    assert.deepStrictEqual(probe.submit("c"), ["c BootFailed"])
    assert.deepStrictEqual(probe.openLease("d"), ["d BootFailed"])
    assert.deepStrictEqual(probe.causes[0], ["no such image", 2])
    probe.gone(0)
    probe.gone(1)
    assert.deepStrictEqual(probe.wait(2000), [])
    assert.deepStrictEqual(probe.submit("e"), ["boot 2"])
  })

  it("lets calls wait for a runner that serves, whatever became of another boot", () => {
    const probe = warm(1, { max: 2 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.failBoot(1, "broken", false), [])
    assert.deepStrictEqual(probe.release("a"), ["b on 0"])
    probe.submit("c")
    assert.deepStrictEqual(probe.lost(0), ["c BootFailed"])
  })

  it("tries min runners again after the backoff, of whatever cause [C82] [C87]", () => {
    for (const transient of [true, false]) {
      const probe = new PoolProbe({ min: 1 })
      probe.tick()
      assert.deepStrictEqual(probe.failBoot(0, "broken", transient), [])
      assert.deepStrictEqual(probe.gone(0), [])
      assert.deepStrictEqual(probe.wait(2000), ["boot 1"])
    }
  })
})

describe("Policy: losing runners", () => {
  it("serves the waiters of a lost runner by a replacement without any new call [C81]", () => {
    const probe = warm(1, { max: 2 })
    probe.submit("a")
    assert.deepStrictEqual(probe.lost(0), [])
    assert.strictEqual(probe.snapshot.used, 0)
    assert.deepStrictEqual(probe.requeue("a"), ["boot 1"])
    assert.deepStrictEqual(probe.ready(1), ["a on 1"])
    assert.deepStrictEqual(probe.gone(0), [])
  })

  it("replaces a min runner that is lost, once, and leaves the others alone [C80] [C82]", () => {
    const probe = warm(2, { min: 2, max: 3 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.lost(1), ["boot 2"])
    assert.deepStrictEqual(probe.gone(1), [])
    assert.deepStrictEqual(probe.release("a"), [])
    assert.strictEqual(probe.phases, "0 ready, 2 booting")
    assert.strictEqual(probe.ticket("b").state, "running")
  })

  it("takes Gone for Lost where it comes alone", () => {
    const probe = warm(1, { max: 1 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.gone(0), ["boot 1"])
    assert.deepStrictEqual(probe.release("a"), [])
    assert.deepStrictEqual(probe.ready(1), ["b on 1"])
  })
})
