import { assert, describe, it } from "@effect/vitest"
import { type Deadline, Deadlines } from "../../../src/pool/policy/Deadlines.ts"
import * as Random from "../../simulation/Random.ts"

const at = (time: number): Deadline => ({ at: time, heapIndex: -1 })

const drain = (deadlines: Deadlines<Deadline>): Array<number> => {
  const times: Array<number> = []
  for (let due = deadlines.takeDue(Infinity); due !== undefined; due = deadlines.takeDue(Infinity)) times.push(due.at)
  return times
}

describe("the heap of deadlines", () => {
  it("returns the earliest first, whatever the order of insertion", () => {
    const deadlines = new Deadlines()
    for (const time of [5, 1, 4, 1, 3, 9, 2]) deadlines.insert(at(time))
    assert.strictEqual(deadlines.first()?.at, 1)
    assert.deepStrictEqual(drain(deadlines), [1, 1, 2, 3, 4, 5, 9])
  })

  it("returns only items that are due", () => {
    const deadlines = new Deadlines()
    const early = at(10)
    deadlines.insert(at(20))
    deadlines.insert(early)
    assert.isUndefined(deadlines.takeDue(9))
    assert.strictEqual(deadlines.takeDue(10), early)
    assert.isUndefined(deadlines.takeDue(19))
    assert.strictEqual(deadlines.size, 1)
  })

  it("removes any item once, and accepts it again", () => {
    const deadlines = new Deadlines()
    const items = [4, 2, 8, 6].map(at)
    for (const item of items) deadlines.insert(item)
    const six = items[3] as Deadline
    assert.isTrue(deadlines.remove(six))
    assert.isFalse(deadlines.remove(six))
    assert.strictEqual(six.heapIndex, -1)
    six.at = 1
    deadlines.insert(six)
    assert.deepStrictEqual(drain(deadlines), [1, 2, 4, 8])
  })

  it("does not remove an item of another heap", () => {
    const deadlines = new Deadlines()
    const others = new Deadlines()
    const item = at(1)
    others.insert(item)
    deadlines.insert(at(1))
    assert.isFalse(deadlines.remove(item))
    assert.strictEqual(deadlines.size + others.size, 2)
  })

  it("agrees with a sorted list over random inserts and removals", () => {
    const random = Random.make(7)
    const deadlines = new Deadlines()
    let list: Array<Deadline> = []
    for (let i = 0; i < 20_000; i++) {
      const roll = random()
      if (roll < 0.5) {
        const item = at(Math.floor(random() * 1000))
        deadlines.insert(item)
        list.push(item)
      } else if (roll < 0.8) {
        const item = Random.pick(list, random())
        if (item !== undefined) assert.isTrue(deadlines.remove(item))
        list = list.filter((_) => _ !== item)
      } else {
        const due = deadlines.takeDue(random() * 1000)
        if (due !== undefined) assert.strictEqual(due.at, Math.min(...list.map((_) => _.at)))
        list = list.filter((_) => _ !== due)
      }
      assert.strictEqual(deadlines.size, list.length)
      assert.strictEqual(deadlines.first()?.at, list.length === 0 ? undefined : Math.min(...list.map((_) => _.at)))
    }
  })

  it("costs at most the logarithm of its size", () => {
    let looks = 0
    const counted = (time: number): Deadline => ({
      heapIndex: -1,
      get at() {
        looks++
        return time
      },
      set at(_: number) {
        looks++
      }
    })
    const random = Random.make(3)
    const deadlines = new Deadlines()
    const items = Array.from({ length: 100_000 }, () => counted(random()))
    let most = 0
    const measure = (action: (item: Deadline) => void, item: Deadline) => {
      looks = 0
      action(item)
      most = Math.max(most, looks)
    }
    for (const item of items) measure((_) => deadlines.insert(_), item)
    for (const item of items) measure((_) => deadlines.remove(_), item)
    // 17 levels, with at most three comparisons at each.
    assert.isAtMost(most, 60)
  })
})
