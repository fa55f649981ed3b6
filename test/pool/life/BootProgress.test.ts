import { assert, describe, it } from "@effect/vitest"
import { BootProgress } from "../../../src/pool/life/BootProgress.ts"
import type { PoolEvent } from "../../../src/pool/status/PoolEvent.ts"

const make = () => {
  const events: Array<ReadonlyArray<unknown>> = []
  const clock = { now: 1_000 }
  const publish = (event: PoolEvent) => {
    if (event._tag === "BootProgress") events.push([event.runner, event.phase, event.detail, event.at])
  }
  const progress = new BootProgress("pool", "r1", () => clock.now, publish)
  return { clock, events, progress }
}

describe("the progress of a boot", () => {
  it("reports each step with its time since the start of the boot, and the backend's text", () => {
    const { clock, events, progress } = make()
    assert.strictEqual(progress.phase, "beforeBoot")
    clock.now += 10
    progress.reached("launched")
    clock.now += 20
    progress.backend({ name: "scheduled", detail: "node-1" })
    assert.deepStrictEqual(events, [
      ["r1", "launched", undefined, 10],
      ["r1", "scheduled", "node-1", 30]
    ])
    assert.deepStrictEqual(progress.phases, { launched: 10, scheduled: 30 })
    assert.strictEqual(progress.phase, "scheduled")
  })

  it("reports a cause of waiting once, and again when it changes; waiting is not a step", () => {
    const { clock, events, progress } = make()
    progress.backend({ name: "created" })
    progress.backend({ name: "waiting", detail: "0/3 nodes are available" })
    clock.now += 5
    progress.backend({ name: "waiting", detail: "0/3 nodes are available" })
    assert.strictEqual(progress.waitsFor, "0/3 nodes are available")
    progress.backend({ name: "waiting", detail: "a node is being added" })
    assert.deepStrictEqual(
      events.map(([, phase, detail, at]) => [phase, detail, at]),
      [
        ["created", undefined, 0],
        ["waiting", "0/3 nodes are available", 0],
        ["waiting", "a node is being added", 5]
      ]
    )
    assert.deepStrictEqual([progress.phase, Object.keys(progress.phases)], ["created", ["created"]])
    progress.backend({ name: "scheduled" })
    assert.isUndefined(progress.waitsFor)
  })

  it("converts the times that a runner reports to the pool's clock", () => {
    const { clock, events, progress } = make()
    clock.now += 500
    progress.serves({ importing: 40, imported: 190, said: 240 })
    assert.deepStrictEqual(progress.phases, { importing: 300, imported: 450, connected: 500, ready: 500 })
    assert.deepStrictEqual(
      events.map(([, phase]) => phase),
      ["importing", "imported", "connected"]
    )
  })

  it("ignores times of a runner that precede its boot or lie in the future", () => {
    const { clock, progress } = make()
    clock.now += 100
    progress.serves({ importing: 40, imported: 9_999, said: 5_000 })
    assert.deepStrictEqual(progress.phases, { importing: 0, imported: 100, connected: 100, ready: 100 })
  })

  it("lets no step of the program come before the launch that the parent noted late", () => {
    const { clock, progress } = make()
    clock.now = 1_200
    progress.reached("launched")
    clock.now = 1_300
    progress.serves({ importing: 0, imported: 250, said: 280 })
    assert.deepStrictEqual(progress.phases, {
      launched: 200,
      importing: 200,
      imported: 270,
      connected: 300,
      ready: 300
    })
  })

  it("only records steps that the backend reports after the runner is ready", () => {
    const { clock, events, progress } = make()
    progress.backend({ name: "connected" })
    clock.now += 50
    progress.serves(undefined)
    events.length = 0
    clock.now += 1
    progress.backend({ name: "started" })
    progress.backend({ name: "waiting", detail: "nothing" })
    assert.deepStrictEqual(progress.phases, { connected: 0, ready: 50, started: 51 })
    assert.deepStrictEqual([progress.phase, progress.waitsFor, events], ["ready", undefined, []])
  })
})
