import { assert, describe, it } from "@effect/vitest"
import * as Policy from "../../../src/pool/policy/Policy.ts"
import { PoolProbe, warm } from "./PolicyProbe.ts"

describe("Policy: idle runners", () => {
  it("end as surplus after a burst, with the reason idle, down to min [C12] [C13]", () => {
    const probe = warm(1, { min: 1, max: 2, concurrency: 2, idleTimeToLive: 500 })
    probe.submitAll("a", "b", "c", "d")
    probe.ready(1)
    probe.wait(100)
    probe.releaseAll("a", "b", "c", "d")
    assert.deepStrictEqual(probe.wait(499), [])
    assert.deepStrictEqual(probe.wait(1), ["drain 0 idle"])
    probe.gone(0)
    assert.deepStrictEqual(probe.wait(60_000), [])
    assert.strictEqual(probe.phases, "1 ready")
  })

  it("end after idleTimeToLive if they never get a call [C27]", () => {
    const probe = new PoolProbe({ idleTimeToLive: 500 })
    probe.submit("a")
    probe.withdraw("a")
    probe.wait(10_000)
    probe.ready(0)
    assert.deepStrictEqual(probe.wait(499), [])
    assert.deepStrictEqual(probe.wait(1), ["drain 0 idle"])
  })

  it("lead the pool to give up boots that wait for a node and are not needed, and no others", () => {
    const probe = new PoolProbe({ min: 1, max: 4 })
    probe.send({ _tag: "Tick" })
    probe.submitAll("a", "b", "c")
    for (const runner of [0, 1]) probe.send({ _tag: "Unscheduled", runner })
    assert.deepStrictEqual(probe.withdraw("a"), ["drain 0 idle"])
    probe.gone(0)
    assert.deepStrictEqual(probe.send({ _tag: "Scheduled", runner: 1 }), [])
    assert.deepStrictEqual([...probe.withdraw("b"), ...probe.withdraw("c")], [])
    assert.strictEqual(probe.phases, "1 booting, 2 booting")
  })

  it("do not lead the pool to give up a boot for min that waits for a node", () => {
    const probe = new PoolProbe({ min: 1 })
    probe.send({ _tag: "Tick" })
    probe.send({ _tag: "Unscheduled", runner: 0 })
    probe.submit("a")
    assert.deepStrictEqual(probe.withdraw("a"), [])
    assert.strictEqual(probe.phases, "0 booting")
  })

  it("count idle time from the end of the last call [C28]", () => {
    const probe = warm(1, { idleTimeToLive: 500 })
    probe.wait(400)
    probe.submit("a")
    assert.deepStrictEqual(probe.wait(10_000), [])
    probe.release("a")
    assert.deepStrictEqual(probe.wait(499), [])
    assert.deepStrictEqual(probe.wait(1), ["drain 0 idle"])
  })

  it("get no calls under a light load, so that surplus runners become idle instead of taking turns", () => {
    const probe = warm(3, { idleTimeToLive: 500 })
    const lines: Array<string> = []
    for (let i = 0; i < 10; i++) {
      lines.push(...probe.submit(`a${i}`).filter((_) => !_.endsWith("on 0")), ...probe.wait(50))
      lines.push(...probe.release(`a${i}`), ...probe.wait(50))
    }
    assert.deepStrictEqual(lines, ["drain 1 idle", "drain 2 idle"])
  })

  it("are asked, stay after a no, are asked again, and end after a yes [C29]", () => {
    const probe = warm(1, { idleTimeToLive: 500, asksIdle: true })
    assert.deepStrictEqual(probe.wait(500), ["ask 0"])
    assert.deepStrictEqual(probe.answer(0, false), [])
    assert.deepStrictEqual(probe.wait(499), [])
    assert.deepStrictEqual(probe.wait(501), ["ask 0"])
    assert.deepStrictEqual(probe.answer(0, true).at(-1), "drain 0 idle")
  })

  it("get calls while they are asked, and their answer is then ignored [C58]", () => {
    const probe = warm(1, { idleTimeToLive: 500, asksIdle: true })
    probe.wait(500)
    assert.deepStrictEqual(probe.submit("a"), ["a on 0"])
    assert.deepStrictEqual(probe.answer(0, true), [])
    assert.deepStrictEqual(probe.release("a"), [])
    assert.strictEqual(probe.phases, "0 ready")
  })

  it("have an answer from before a call ignored, also if it arrives later", () => {
    const probe = warm(1, { idleTimeToLive: 500, asksIdle: true })
    probe.wait(500)
    probe.submit("a")
    probe.release("a")
    assert.deepStrictEqual(probe.wait(600), [])
    assert.deepStrictEqual(probe.answer(0, true), [])
    assert.include(probe.wait(1000), "ask 0")
  })

  it("that are told to end get no call of the same moment, which goes to another runner [C58]", () => {
    const probe = warm(1, { idleTimeToLive: 500 })
    assert.deepStrictEqual(probe.wait(500), ["drain 0 idle"])
    assert.deepStrictEqual(probe.submit("a"), ["boot 1"])
    assert.deepStrictEqual(probe.ready(1), ["a on 1"])
  })

  it("stay as spare slots while a call runs", () => {
    const probe = warm(3, { spare: 1, idleTimeToLive: 500 })
    probe.submit("a")
    assert.deepStrictEqual(probe.wait(600), ["drain 1 idle"])
    assert.deepStrictEqual(probe.wait(5000), [])
    probe.release("a")
    assert.deepStrictEqual(probe.wait(1000).toSorted(), ["drain 0 idle", "drain 2 idle"])
  })
})

describe("Policy: consolidation", () => {
  it("stops sending calls to the emptiest runner when fewer would have done for idleTimeToLive", () => {
    for (const strategy of ["spread", "pack"] as const) {
      const probe = warm(3, { concurrency: 3, idleTimeToLive: 500, strategy, max: 3 })
      for (let i = 0; i < 9; i++) probe.submit(`a${i}`)
      const runnerOf = (name: string) => probe.ticket(name).runner
      const on = (runner: number) =>
        [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => `a${i}`).filter((_) => runnerOf(_) === runner)
      // 3 calls stay on runner 0, 2 on 1, and 1 on 2: two runners would do.
      probe.releaseAll(...on(1).slice(2), ...on(2).slice(1))
      assert.deepStrictEqual(probe.wait(999), [])
      assert.strictEqual(probe.phases, "0 ready, 1 ready, 2 ready")
      assert.deepStrictEqual(probe.wait(1), [])
      assert.strictEqual(probe.phases, "0 ready, 1 ready, 2 retiring")
      assert.deepStrictEqual(probe.submit("b"), ["b on 1"])
    }
  })

  it("ends the chosen runner when its calls have ended, not before", () => {
    const probe = warm(2, { concurrency: 2, idleTimeToLive: 500 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.wait(500), [])
    assert.strictEqual(probe.phases, "0 retiring, 1 ready")
    assert.deepStrictEqual(probe.submit("c"), ["c on 1"])
    assert.deepStrictEqual(probe.release("a"), ["drain 0 consolidate"])
  })

  it("keeps spare slots beside suspects, whose runners offer none", () => {
    const probe = warm(2, { concurrency: 5, spare: 2, idleTimeToLive: 500 })
    probe.submitAll("a", "b")
    for (const runner of [0, 1]) probe.lost(runner)
    for (const runner of [0, 1]) probe.gone(runner)
    probe.suspect("a")
    probe.suspect("b")
    assert.deepStrictEqual(probe.ready(2, 3, 4), ["a on 2", "b on 3"])
    assert.deepStrictEqual(probe.wait(2000), [])
    assert.strictEqual(probe.phases, "2 ready, 3 ready, 4 ready")
    assert.deepStrictEqual(probe.submitAll("c", "d"), ["c on 4", "d on 4"])
  })

  it("keeps spare slots beside runners that are near their maxCalls, and stops none that is booted again", () => {
    const probe = new PoolProbe({
      concurrency: 3,
      maxCalls: 3,
      spare: 2,
      max: 5,
      strategy: "pack",
      idleTimeToLive: 1000
    })
    probe.submit("long")
    probe.ready(0)
    probe.submit("b")
    probe.ready(1)
    probe.release("b")
    assert.strictEqual(probe.snapshot.free, 4)
    assert.deepStrictEqual(probe.wait(10_000), [])
    assert.isAtLeast(probe.snapshot.free, 2)
  })

  it("takes the choice back rather than boot another runner", () => {
    const probe = warm(2, { concurrency: 2, idleTimeToLive: 500 })
    probe.submitAll("a", "b")
    probe.wait(500)
    assert.deepStrictEqual(probe.submitAll("c", "d"), ["c on 1", "d on 0"])
    assert.strictEqual(probe.phases, "0 ready, 1 ready")
  })

  it("keeps the runners that the peak of the window needed, with spare", () => {
    const peak = warm(2, { concurrency: 2, idleTimeToLive: 500 })
    peak.submitAll("a", "b", "c")
    peak.wait(100)
    peak.release("a")
    peak.wait(400)
    assert.strictEqual(peak.phases, "0 ready, 1 ready")
    peak.wait(500)
    assert.strictEqual(peak.snapshot.ready, 1)

    const spare = warm(2, { concurrency: 2, idleTimeToLive: 500, spare: 1 })
    spare.submitAll("a", "b")
    spare.wait(5000)
    assert.strictEqual(spare.phases, "0 ready, 1 ready")
  })

  it("keeps min, and does not choose leased runners", () => {
    const atMin = warm(2, { min: 2, concurrency: 2, idleTimeToLive: 500 })
    atMin.submitAll("a", "b")
    atMin.wait(5000)
    assert.strictEqual(atMin.phases, "0 ready, 1 ready")

    const leased = warm(3, { concurrency: 2, idleTimeToLive: 500 })
    leased.openLease("l")
    leased.submitAll("a", "b")
    leased.wait(500)
    assert.strictEqual(leased.phases, "0 ready, 1 retiring, 2 ready")
  })

  it("asks the chosen runner when its calls have ended, and puts it back to work on a no", () => {
    const probe = warm(2, { concurrency: 2, idleTimeToLive: 500, asksIdle: true })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.wait(500), [])
    assert.deepStrictEqual(probe.release("a"), ["ask 0"])
    assert.deepStrictEqual(probe.answer(0, false), [])
    assert.strictEqual(probe.phases, "0 ready, 1 ready")
    assert.deepStrictEqual(probe.submit("c"), ["c on 0"])
    assert.deepStrictEqual(probe.wait(500), [])
    assert.strictEqual(probe.phases, "0 ready, 1 retiring")
    assert.deepStrictEqual(probe.release("b"), ["ask 1"])
    assert.deepStrictEqual(probe.answer(1, true), ["drain 1 consolidate"])
  })

  it("asks a runner that answered no again after another idleTimeToLive, not sooner", () => {
    const probe = warm(1, { idleTimeToLive: 500, asksIdle: true })
    assert.deepStrictEqual(probe.wait(500), ["ask 0"])
    probe.wait(200)
    probe.answer(0, false)
    assert.deepStrictEqual(probe.wait(499), [])
    assert.deepStrictEqual(probe.wait(1), ["ask 0"])
  })

  it("counts a runner that is being asked as one that ends", () => {
    const probe = warm(2, { concurrency: 2, idleTimeToLive: 500, asksIdle: true })
    probe.submit("a")
    // The idle time and the window end at the same moment.
    assert.deepStrictEqual(probe.wait(500), ["ask 1"])
    assert.strictEqual(probe.phases, "0 ready, 1 ready")
    assert.deepStrictEqual(probe.answer(1, true), ["drain 1 idle"])
  })
})

describe("Policy: recycling", () => {
  it("ends a runner with maxCalls 1 after its call, whatever the outcome [C21] [C22]", () => {
    const probe = warm(1, { maxCalls: 1 })
    assert.deepStrictEqual(probe.submit("a"), ["a on 0"])
    assert.deepStrictEqual(probe.release("a"), ["drain 0 maxCalls"])
  })

  it("leaves a runner of several uses to the next call [C23]", () => {
    const probe = warm(1, { maxCalls: 3 })
    probe.submit("a")
    assert.deepStrictEqual(probe.release("a"), [])
    assert.deepStrictEqual(probe.submit("b"), ["b on 0"])
  })

  it("gives a leaving runner none of the waiting calls [C83]", () => {
    const probe = warm(1, { max: 1, maxCalls: 1, concurrency: 2 })
    assert.deepStrictEqual(probe.submitAll("a", "b", "c"), ["a on 0"])
    assert.deepStrictEqual(probe.release("a"), ["drain 0 maxCalls"])
    assert.deepStrictEqual(probe.lost(0), [])
    assert.deepStrictEqual(probe.gone(0), ["boot 1"])
    assert.deepStrictEqual(probe.ready(1), ["b on 1"])
    assert.deepStrictEqual(probe.release("b"), ["drain 1 maxCalls"])
  })

  it("replaces a min runner when its last call starts [C82]", () => {
    const probe = warm(1, { min: 1, maxCalls: 1 })
    assert.deepStrictEqual(probe.submit("a"), ["a on 0", "boot 1"])
  })

  it("replaces an old runner once its calls have ended", () => {
    const probe = warm(1, { min: 1, maxLifetime: 10_000 })
    probe.wait(9999)
    probe.submit("a")
    assert.deepStrictEqual(probe.wait(1), ["boot 1"])
    assert.deepStrictEqual(probe.submit("b"), [])
    assert.deepStrictEqual(probe.ready(1), ["b on 1"])
    assert.deepStrictEqual(probe.release("a"), ["drain 0 maxLifetime"])
  })

  it("ends an old runner without calls at once", () => {
    const probe = warm(1, { maxLifetime: 10_000, idleTimeToLive: undefined })
    assert.deepStrictEqual(probe.wait(10_000), ["drain 0 maxLifetime"])
    assert.isUndefined(Policy.wakeAt(probe.pool))
  })
})
