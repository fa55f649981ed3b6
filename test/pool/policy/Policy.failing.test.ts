import { assert, describe, it } from "@effect/vitest"
import { PoolProbe, warm } from "./PolicyProbe.ts"

describe("Policy: failing boots", () => {
  it("keep calls waiting, and are retried without a new call [C8] [C10] [C11]", () => {
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

  it("that fail at once cause one backoff [C54]", () => {
    const probe = new PoolProbe({ max: 5 })
    probe.submitAll("a", "b", "c", "d", "e")
    for (let runner = 0; runner < 5; runner++) assert.deepStrictEqual(probe.failBoot(runner), [])
    for (let runner = 0; runner < 5; runner++) assert.deepStrictEqual(probe.gone(runner), [])
    assert.isAtMost(probe.snapshot.backoffUntil ?? Infinity, 2000)
    assert.strictEqual(probe.snapshot.failedBoots, 5)
    assert.deepStrictEqual(probe.submit("f"), [])
    assert.deepStrictEqual(probe.wait(2000), ["boot 5", "boot 6", "boot 7", "boot 8", "boot 9"])
  })

  it("double the backoff each time, between 1 and 30 seconds, with jitter", () => {
    const pausesOf = (seed: number) => {
      const probe = new PoolProbe({ bootPatience: Infinity }, seed)
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

  it("do not lengthen the backoff if they started before it", () => {
    const probe = new PoolProbe({ max: 3 })
    probe.submitAll("a", "b", "c")
    probe.failBoot(0)
    probe.gone(0)
    const boots = probe.wait(2000)
    assert.deepStrictEqual(boots, ["boot 3"])
    // Boot 1 is as old as boot 0: it may start a pause, but only of the first length.
    probe.failBoot(1)
    assert.isAtMost((probe.snapshot.backoffUntil ?? Infinity) - probe.now, 2000)
    probe.failBoot(2)
    probe.failBoot(3)
    assert.isAtMost((probe.snapshot.backoffUntil ?? Infinity) - probe.now, 2000)
  })

  it("are followed by boots for all that the queue needs, when an outage is over [C84]", () => {
    const probe = new PoolProbe({ max: 4, concurrency: 2 })
    probe.submit("a")
    probe.failBoot(0)
    probe.gone(0)
    assert.deepStrictEqual(probe.submitAll("b", "c", "d", "e"), [])
    assert.deepStrictEqual(probe.wait(2000), ["boot 1", "boot 2", "boot 3"])
  })

  it("are forgotten when a boot succeeds", () => {
    const probe = new PoolProbe({ max: 3 })
    probe.submitAll("a", "b", "c")
    probe.failBoot(0)
    probe.gone(0)
    assert.deepStrictEqual(probe.ready(1), ["a on 1", "boot 3"])
    assert.isUndefined(probe.snapshot.backoffUntil)
    probe.failBoot(3)
    assert.isAtMost((probe.snapshot.backoffUntil ?? Infinity) - probe.now, 2000)
  })

  it("with a cause that cannot heal fail the waiting calls, once no runner is left to serve them [C26]", () => {
    const probe = new PoolProbe({ max: 2 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.failBoot(0, "no such image", false), [])
    assert.deepStrictEqual(probe.failBoot(1, "no such image", false), ["a BootFailed", "b BootFailed"])
    assert.deepStrictEqual(probe.causes[0], ["no such image", 2])
    assert.deepStrictEqual(probe.hopeless, [["no such image", 2]])
  })

  it("with a permanent cause do not keep later calls from booting, since the cause may have healed [C103]", () => {
    const probe = new PoolProbe({ max: 1 })
    probe.submit("a")
    assert.deepStrictEqual(probe.failBoot(0, "no such image", false), ["a BootFailed"])
    probe.gone(0)
    assert.deepStrictEqual([...probe.submit("b"), ...probe.openLease("c")], [])
    assert.deepStrictEqual(probe.wait(2000), ["boot 1"])
    assert.deepStrictEqual(probe.failBoot(1, "no such image", false), ["b BootFailed", "c BootFailed"])
    probe.gone(1)
    assert.deepStrictEqual(probe.submit("d"), [])
    assert.deepStrictEqual(probe.wait(4000), ["boot 2"])
    assert.deepStrictEqual(probe.ready(2), ["d on 2"])
  })

  it("do not fail calls that a ready runner can serve", () => {
    const probe = warm(1, { max: 2 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.failBoot(1, "broken", false), [])
    assert.deepStrictEqual(probe.release("a"), ["b on 0"])
    assert.deepStrictEqual(probe.submit("c"), [])
    assert.deepStrictEqual([...probe.lost(0), ...probe.gone(0)], [])
    assert.deepStrictEqual(probe.wait(2000), ["boot 2"])
  })

  it("fail callers once every boot has failed for bootPatience, with the last cause and all attempts [C102]", () => {
    const probe = new PoolProbe({ max: 1, bootPatience: 10_000, queueCapacity: 10 })
    assert.deepStrictEqual(probe.submit("a"), ["boot 0"])
    let runner = 0
    while (probe.hopeless.length === 0) {
      assert.isBelow(probe.now, 10_001)
      if (probe.snapshot.booting > 0) {
        probe.failBoot(runner, `refused ${runner}`)
        probe.gone(runner++)
      }
      if (probe.now === 9_990) probe.submit("late")
      probe.wait(10)
    }
    assert.deepStrictEqual(probe.causes, [[`refused ${runner - 1}`, runner]])
    assert.strictEqual(probe.ticket("a").state, "idle")
    assert.strictEqual(probe.now, 10_000)
    // A call made after the last failed boot waits for the next boot only, not for another bootPatience.
    assert.strictEqual(probe.ticket("late").state, "waiting")
    assert.deepStrictEqual(probe.wait(30_000), [`boot ${runner}`])
    assert.deepStrictEqual(probe.failBoot(runner, "refused"), ["late BootFailed"])
  })

  it("count against bootPatience only while a call or min needs a runner [C102]", () => {
    const probe = new PoolProbe({ max: 1, bootPatience: 10_000 })
    probe.submit("a")
    probe.failBoot(0)
    probe.gone(0)
    probe.withdraw("a")
    probe.wait(60_000)
    assert.deepStrictEqual(probe.submit("b"), ["boot 1"])
    assert.deepStrictEqual(probe.failBoot(1), [])
    assert.strictEqual(probe.ticket("b").state, "waiting")
  })

  it("do not count against bootPatience if they precede a runner that is ready, although it has had no call [C102]", () => {
    const probe = new PoolProbe({ min: 1, max: 1, bootPatience: 10_000, crashLoopTime: 3_000 })
    probe.tick()
    probe.ready(0)
    probe.lost(0)
    probe.gone(0)
    probe.ready(1)
    probe.wait(3_600_000)
    probe.lost(1)
    assert.deepStrictEqual(probe.gone(1), ["boot 2"])
    probe.submit("a")
    assert.deepStrictEqual(probe.failBoot(2), [])
    assert.strictEqual(probe.ticket("a").state, "waiting")
  })

  it("wait for a boot in progress beyond bootPatience, and at most as long again [C102]", () => {
    const probe = new PoolProbe({ max: 2, bootPatience: 10_000 })
    assert.deepStrictEqual(probe.submitAll("a", "b"), ["boot 0", "boot 1"])
    probe.wait(9_000)
    assert.deepStrictEqual(probe.failBoot(0), [])
    assert.deepStrictEqual(probe.wait(2_000), [])
    assert.deepStrictEqual(probe.gone(0), ["boot 2"])
    assert.deepStrictEqual(probe.ready(1), ["a on 1"])
    const other = new PoolProbe({ max: 2, bootPatience: 10_000 })
    other.submitAll("a", "b")
    for (let runner = 2; other.hopeless.length === 0; runner++) {
      assert.isBelow(other.now, 40_000)
      other.wait(1_000)
      other.failBoot(runner - 2)
      other.gone(runner - 2)
    }
    assert.isAtLeast(other.now, 10_000)
  })

  it("of min runners are retried after the backoff, whatever the cause [C82] [C87]", () => {
    for (const transient of [true, false]) {
      const probe = new PoolProbe({ min: 1 })
      probe.tick()
      assert.deepStrictEqual(probe.failBoot(0, "broken", transient), [])
      assert.deepStrictEqual(probe.gone(0), [])
      assert.deepStrictEqual(probe.wait(2000), ["boot 1"])
    }
  })
})

describe("Policy: runners that end soon after they are ready", () => {
  it("back off like failed boots, longer each time, until a call completes [C101]", () => {
    const probe = new PoolProbe({ min: 1, max: 1, crashLoopTime: 10_000 })
    probe.tick()
    // The first one may have met an accident.
    probe.ready(0)
    probe.wait(100)
    assert.deepStrictEqual([...probe.lost(0), ...probe.gone(0)], ["boot 1"])
    for (let runner = 1; runner < 4; runner++) {
      assert.deepStrictEqual(probe.ready(runner), [])
      probe.wait(100)
      assert.deepStrictEqual(probe.lost(runner), [])
      assert.deepStrictEqual(probe.gone(runner), [])
      const pause = (probe.snapshot.backoffUntil ?? 0) - probe.now
      assert.isAtLeast(pause, 1000 * 2 ** (runner - 1))
      assert.deepStrictEqual(probe.wait(pause), [`boot ${runner + 1}`])
    }
    assert.strictEqual(probe.snapshot.failedBoots, 4)
    probe.ready(4)
    probe.submit("a")
    probe.release("a", false)
    assert.strictEqual(probe.snapshot.failedBoots, 4)
    probe.submit("b")
    probe.release("b")
    assert.strictEqual(probe.snapshot.failedBoots, 0)
    assert.deepStrictEqual(probe.lost(4), [])
    assert.deepStrictEqual(probe.gone(4), ["boot 5"])
  })

  it("do not count after crashLoopTime, if they were told to end, or if they completed a call [C101]", () => {
    const late = new PoolProbe({ min: 1, crashLoopTime: 10_000 })
    late.tick()
    late.ready(0)
    late.wait(10_000)
    assert.deepStrictEqual(late.lost(0), ["boot 1"])
    const told = warm(1, { crashLoopTime: 10_000, idleTimeToLive: 100 })
    assert.deepStrictEqual(told.wait(100), ["drain 0 idle"])
    told.lost(0)
    assert.strictEqual(told.snapshot.failedBoots, 0)
    const leaves = new PoolProbe({ min: 1, crashLoopTime: 10_000 })
    leaves.tick()
    leaves.ready(0)
    assert.deepStrictEqual(leaves.send({ _tag: "RunnerDraining", runner: 0 }), ["drain 0 draining", "boot 1"])
    leaves.lost(0)
    assert.strictEqual(leaves.snapshot.failedBoots, 1)
  })
})

describe("Policy: calls that may end their runners", () => {
  it("let healthy calls pass first, and run alone in their last attempt [C100]", () => {
    const probe = warm(1, { max: 1, concurrency: 2, crashLoopTime: 10_000 })
    assert.deepStrictEqual(probe.submitAll("poison", "a", "b", "c"), ["poison on 0", "a on 0"])
    assert.deepStrictEqual(probe.release("a"), ["b on 0"])
    probe.lost(0)
    // The call loses its turn for its second attempt.
    assert.deepStrictEqual(probe.requeue("poison", false), [])
    assert.deepStrictEqual(probe.gone(0), ["boot 1"])
    assert.deepStrictEqual(probe.ready(1), ["c on 1", "poison on 1"])
    assert.deepStrictEqual(probe.submitAll("d", "e", "f"), [])
    assert.deepStrictEqual(probe.release("c"), ["d on 1"])
    probe.lost(1)
    assert.deepStrictEqual(probe.suspect("poison"), [])
    assert.deepStrictEqual(probe.gone(1), ["boot 2"])
    assert.deepStrictEqual(probe.ready(2), ["poison on 2"])
    assert.strictEqual(probe.snapshot.free, 0)
    assert.deepStrictEqual(probe.submit("g"), [])
    // The call ended its runner, so the others need no pause.
    probe.lost(2)
    assert.deepStrictEqual(probe.gone(2), ["boot 3"])
    assert.deepStrictEqual(probe.ready(3), ["e on 3", "f on 3"])
  })

  it("share their runner once they succeed, and boot one if no runner is empty [C100]", () => {
    const probe = warm(2, { max: 2, concurrency: 2 })
    assert.deepStrictEqual(probe.submitAll("a", "poison"), ["a on 0", "poison on 1"])
    probe.lost(1)
    assert.deepStrictEqual(probe.suspect("poison"), [])
    assert.deepStrictEqual(probe.gone(1), ["boot 2"])
    assert.deepStrictEqual(probe.submitAll("b", "c"), ["b on 0"])
    assert.deepStrictEqual(probe.ready(2), ["poison on 2"])
    assert.deepStrictEqual(probe.submit("d"), [])
    assert.deepStrictEqual(probe.release("poison"), ["c on 2", "d on 2"])
  })

  it("share a runner if none is empty and none can boot, rather than wait for ever [C100]", () => {
    const probe = warm(2, { max: 2, concurrency: 2 })
    assert.deepStrictEqual(probe.submitAll("a", "poison"), ["a on 0", "poison on 1"])
    probe.lost(1)
    probe.gone(1)
    assert.deepStrictEqual(probe.resize({ max: 1 }), [])
    assert.deepStrictEqual(probe.suspect("poison"), ["poison on 0"])
  })

  it("share a runner while boots keep failing below max [C241]", () => {
    const probe = warm(2, { max: 3, concurrency: 2 })
    assert.deepStrictEqual(probe.submitAll("a", "poison"), ["a on 0", "poison on 1"])
    probe.lost(1)
    assert.deepStrictEqual(probe.suspect("poison"), ["boot 2"])
    assert.deepStrictEqual(probe.failBoot(2), ["poison on 0"])
  })

  it("share a runner while another retires or drains for as long as its calls run [C241]", () => {
    for (const isRetiring of [true, false]) {
      const probe = warm(3, { max: 3, concurrency: 2, ...(isRetiring ? { maxCalls: 1 } : {}) })
      assert.deepStrictEqual(probe.submitAll("days"), ["days on 0"])
      if (isRetiring) probe.resize({ maxCalls: undefined })
      else probe.send({ _tag: "RunnerDraining", runner: 0 })
      assert.deepStrictEqual(probe.submitAll("a", "poison"), ["a on 1", "poison on 2"])
      probe.lost(2)
      probe.gone(2)
      probe.resize({ max: 2 })
      assert.deepStrictEqual(probe.suspect("poison"), ["poison on 1"])
    }
  })

  it("wait for the runner of another such call for crashLoopTime only [C241]", () => {
    const probe = warm(2, { max: 2, concurrency: 2, crashLoopTime: 10_000 })
    probe.wait(10_000)
    assert.deepStrictEqual(probe.submitAll("a", "b", "c", "d"), ["a on 0", "b on 1", "c on 1", "d on 0"])
    probe.release("a")
    probe.lost(1)
    assert.deepStrictEqual([...probe.suspect("b"), ...probe.suspect("c")], [])
    probe.gone(1)
    assert.deepStrictEqual(probe.ready(2), ["b on 2"])
    assert.deepStrictEqual(probe.wait(9_999), [])
    assert.deepStrictEqual(probe.wait(1), ["c on 0"])
  })
})

describe("Policy: lost runners", () => {
  it("are replaced for their waiting calls without any new call [C81]", () => {
    const probe = warm(1, { max: 2 })
    probe.submit("a")
    assert.deepStrictEqual(probe.lost(0), [])
    assert.strictEqual(probe.snapshot.used, 0)
    assert.deepStrictEqual(probe.requeue("a"), ["boot 1"])
    assert.deepStrictEqual(probe.ready(1), ["a on 1"])
    assert.deepStrictEqual(probe.gone(0), [])
  })

  it("are replaced once if min needs them, and do not affect the others [C80] [C82]", () => {
    const probe = warm(2, { min: 2, max: 3 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.lost(1), ["boot 2"])
    assert.deepStrictEqual(probe.gone(1), [])
    assert.deepStrictEqual(probe.release("a"), [])
    assert.strictEqual(probe.phases, "0 ready, 2 booting")
    assert.strictEqual(probe.ticket("b").state, "running")
  })

  it("are lost by Gone alone, if no Lost precedes it", () => {
    const probe = warm(1, { max: 1 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.gone(0), ["boot 1"])
    assert.deepStrictEqual(probe.release("a"), [])
    assert.deepStrictEqual(probe.ready(1), ["b on 1"])
  })
})
