import { assert, describe, it } from "@effect/vitest"
import { PoolProbe, warm } from "./PolicyProbe.ts"

describe("Policy: growing", () => {
  it("boots min runners at its first tick, all at once [C1]", () => {
    const probe = new PoolProbe({ min: 2 })
    assert.deepStrictEqual(probe.tick(), ["boot 0", "boot 1"])
    assert.deepStrictEqual(probe.ready(0, 1), [])
    assert.strictEqual(probe.phases, "0 ready, 1 ready")
  })

  it("boots nothing until the first call when min is 0, and then runs it [C2]", () => {
    const probe = new PoolProbe()
    assert.deepStrictEqual(probe.tick(), [])
    assert.deepStrictEqual(probe.submit("a"), ["boot 0"])
    assert.deepStrictEqual(probe.ready(0), ["a on 0"])
    assert.deepStrictEqual(probe.release("a"), [])
  })

  it("runs a second call beside a long one on the same runner [C3]", () => {
    const probe = warm(1, { min: 1, max: 2, concurrency: 2 })
    assert.deepStrictEqual(probe.submitAll("long", "b"), ["long on 0", "b on 0"])
  })

  it("boots a second runner for a third call beside two long ones [C4]", () => {
    const probe = warm(1, { min: 1, max: 2, concurrency: 2 })
    probe.submitAll("a", "b")
    assert.deepStrictEqual(probe.submit("c"), ["boot 1"])
    assert.deepStrictEqual(probe.ready(1), ["c on 1"])
    assert.strictEqual(probe.snapshot.runners, 2)
  })

  it("leaves a fifth call waiting for one of 2 x 2 slots [C5]", () => {
    const probe = warm(2, { min: 1, max: 2, concurrency: 2 })
    probe.submitAll("a", "b", "c", "d")
    assert.deepStrictEqual(probe.submit("e"), [])
    assert.deepStrictEqual(probe.withdraw("e"), [])
    assert.strictEqual(probe.ticket("e").state, "idle")
    assert.deepStrictEqual(probe.release("a"), [])
  })

  it("gives a waiting call the slot that becomes free, without another runner [C6]", () => {
    const probe = warm(2, { min: 1, max: 2, concurrency: 2 })
    probe.submitAll("a", "b", "c", "d", "e")
    assert.deepStrictEqual(probe.release("c"), ["e on 1"])
    assert.strictEqual(probe.snapshot.runners, 2)
  })

  it("serves two first calls by one boot [C7]", () => {
    const probe = new PoolProbe({ max: 1, concurrency: 2 })
    assert.deepStrictEqual(probe.submitAll("a", "b"), ["boot 0"])
    assert.deepStrictEqual(probe.ready(0), ["a on 0", "b on 0"])
  })

  it("boots exactly two runners for three casts at max 2, and runs all three [C14]", () => {
    const probe = new PoolProbe({ max: 2 })
    const cast = (name: string) => probe.submit(name, { cast: true })
    assert.deepStrictEqual(["a", "b", "c"].flatMap(cast), ["boot 0", "boot 1"])
    assert.deepStrictEqual(probe.ready(0, 1), ["a on 0", "b on 1"])
    assert.deepStrictEqual(probe.release("b"), ["c on 1"])
  })

  it("counts the calls that a new runner can take: with maxCalls below concurrency, no more than maxCalls", () => {
    const probe = new PoolProbe({ concurrency: 4, maxCalls: 2 })
    assert.deepStrictEqual(probe.submitAll("a", "b", "c", "d", "e"), ["boot 0", "boot 1", "boot 2"])
  })

  it("counts runners that still exist against max, and boots a replacement once one is gone [C55]", () => {
    const probe = warm(1, { max: 1 })
    probe.submit("a")
    assert.deepStrictEqual(probe.send({ _tag: "RunnerDraining", runner: 0 }), ["drain 0 draining"])
    assert.deepStrictEqual(probe.submit("b"), [])
    assert.deepStrictEqual(probe.release("a"), [])
    assert.deepStrictEqual(probe.lost(0), [])
    assert.deepStrictEqual(probe.gone(0), ["boot 1"])
  })

  it("boots for a leaving runner at once if below max [C60]", () => {
    const probe = warm(1, { max: 2, min: 1 })
    probe.submit("a")
    const announced = probe.send({ _tag: "RunnerDraining", runner: 0 })
    assert.deepStrictEqual(announced, ["drain 0 draining", "boot 1"])
    assert.deepStrictEqual(probe.submit("b"), [])
    assert.deepStrictEqual(probe.ready(1), ["b on 1"])
  })

  it("keeps spare slots free while a call runs, and not otherwise", () => {
    const probe = warm(1, { spare: 2 })
    assert.deepStrictEqual(probe.submit("a"), ["a on 0", "boot 1", "boot 2"])
    assert.deepStrictEqual(probe.ready(1, 2), [])
    assert.deepStrictEqual(probe.submit("b"), ["b on 1", "boot 3"])
  })

  it("keeps a fraction of the busy slots spare, rounded up", () => {
    const probe = warm(4, { spare: 0.5 })
    assert.deepStrictEqual(probe.submitAll("a", "b"), ["a on 0", "b on 1"])
    assert.deepStrictEqual(probe.submit("c"), ["c on 2", "boot 4"])
  })

  it("ignores events of runners and tickets that it no longer knows", () => {
    const probe = warm(1)
    probe.submit("a")
    probe.release("a")
    assert.deepStrictEqual(probe.release("a"), [])
    assert.deepStrictEqual(probe.requeue("a"), [])
    assert.deepStrictEqual(probe.withdraw("a"), [])
    assert.deepStrictEqual(probe.ready(0, 7), [])
    assert.deepStrictEqual(probe.closeLease(3), [])
    assert.deepStrictEqual(probe.failBoot(0), [])
    assert.strictEqual(probe.snapshot.free, 1)
  })
})

describe("Policy: choosing a runner", () => {
  it("spreads over the least busy runners, and prefers the last used among equals", () => {
    const probe = warm(3, { concurrency: 2 })
    assert.deepStrictEqual(probe.submitAll("a", "b", "c"), ["a on 0", "b on 1", "c on 2"])
    probe.releaseAll("a", "c")
    assert.deepStrictEqual(probe.submitAll("d", "e", "f"), ["d on 2", "e on 0", "f on 0"])
  })

  it("packs onto the fullest runner that has a free slot", () => {
    const probe = warm(2, { concurrency: 2, strategy: "pack" })
    assert.deepStrictEqual(probe.submitAll("a", "b", "c"), ["a on 0", "b on 0", "c on 1"])
    probe.release("a")
    assert.deepStrictEqual(probe.submitAll("d", "e"), ["d on 0", "e on 1"])
  })

  it("packs with more than 32 slots per runner", () => {
    const probe = warm(2, { concurrency: 70, strategy: "pack" })
    for (let i = 0; i < 70; i++) assert.deepStrictEqual(probe.submit(`a${i}`), [`a${i} on 0`])
    assert.deepStrictEqual(probe.submit("b"), ["b on 1"])
    probe.release("a3")
    assert.deepStrictEqual(probe.submitAll("c", "d"), ["c on 0", "d on 1"])
  })

  it("sends no calls to an unresponsive runner until it answers again", () => {
    const probe = warm(1, { max: 1, concurrency: 2 })
    probe.submit("a")
    probe.send({ _tag: "Unresponsive", runner: 0 })
    assert.deepStrictEqual(probe.submit("b"), [])
    assert.strictEqual(probe.snapshot.unresponsive, 1)
    assert.deepStrictEqual(probe.send({ _tag: "Responsive", runner: 0 }), ["b on 0"])
  })

  it("boots as if an unresponsive runner did not exist", () => {
    const probe = warm(1, { max: 2 })
    probe.send({ _tag: "Unresponsive", runner: 0 })
    assert.deepStrictEqual(probe.submit("a"), ["boot 1"])
  })

  it("sends no calls to a stuck runner, and replaces it [C88]", () => {
    const probe = warm(1, { max: 2, concurrency: 2 })
    probe.submitAll("stuck", "b")
    assert.deepStrictEqual(probe.submit("c"), ["boot 1"])
    assert.deepStrictEqual(probe.send({ _tag: "Stuck", runner: 0 }), ["drain 0 stuck"])
    assert.deepStrictEqual(probe.release("b"), [])
    assert.deepStrictEqual(probe.ready(1), ["c on 1"])
  })
})
