import { assert, describe, it } from "@effect/vitest"
import * as RunnerChecks from "../../../src/cli/doctor/RunnerChecks.ts"
import * as Documents from "../kit/Documents.ts"
import { now, runner } from "../kit/Objects.ts"

const waits = (message: string, age: number, name = "waits") => ({
  ...runner({ age }, name),
  spec: { containers: [{ name: "runner", resources: { requests: { memory: "500Gi" } } }] },
  status: {
    phase: "Pending",
    conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message }]
  }
})

const insufficient = "0/2 nodes are available: 2 Insufficient memory."

describe("runners that a parent has now [C284]", () => {
  it("that all wait for a node fail, with the scheduler's words and their requests", () => {
    const [check] = RunnerChecks.checks([waits(insufficient, 60), waits(insufficient, 60, "too")], undefined, now)
    assert.deepInclude(check!, { name: "runners", status: "fail" })
    assert.match(check!.line, /2 of 2 runners wait: 0\/2 nodes are available: 2 Insufficient memory/)
    assert.match(check!.fix ?? "", /requests memory 500Gi/)
  })

  it("whose image cannot be pulled fail with what mends an image", () => {
    const pod = runner({
      age: 60,
      phase: "Pending",
      state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } }
    })
    const [check] = RunnerChecks.checks([pod], undefined, now)
    assert.match(check!.line, /image app:1 could not be pulled/)
    assert.match(check!.fix ?? "", /push the image, correct its name/)
  })

  it("of which some run only warn, and a boot of a few seconds is no wait", () => {
    const [some] = RunnerChecks.checks([runner({}), waits(insufficient, 60)], undefined, now)
    assert.strictEqual(some!.status, "warn")
    const [early] = RunnerChecks.checks([runner({}), waits(insufficient, 5)], undefined, now)
    assert.strictEqual(early!.status, "ok")
  })

  it("whose boots failed lately fail by the parent's own words, and an old failure does not", () => {
    const failure = { first: now, count: 7, kind: "boot" as const, tag: "ImagePull", message: "no such image" }
    const of = (at: number) =>
      RunnerChecks.checks([], Documents.document([Documents.pool({ failures: [{ ...failure, at }] })]), now)
    assert.match(of(now - 60_000)[0]!.fix ?? "", /push the image, correct its name/)
    assert.match(of(now - 60_000)[0]!.line, /7 boots of pool app failed lately: ImagePull: no such image/)
    assert.deepStrictEqual(of(now - 3_600_000), [])
  })

  it("that boot for long fail with their last step, warn beside one that serves, and pass while a boot is young [C482]", () => {
    const boot = (took: number, step: string) => ({
      runner: "app-1",
      at: now,
      outcome: "booting" as const,
      took,
      steps: [["scheduled", 100] as const, [step, 200] as const]
    })
    const of = (took: number, ready: number, step = "started") =>
      RunnerChecks.checks([], Documents.document([Documents.pool({ ready, boots: [boot(took, step)] })]), now)
    const [check] = of(43_000, 0)
    assert.deepInclude(check!, { name: "boots.slow", status: "fail" })
    assert.match(check!.line, /1 boot of pool app has taken 43 s so far, and reached the step started/)
    assert.match(check!.fix ?? "", /do not reach their parent: look at `advertise`/)
    assert.match(of(43_000, 0, "imported")[0]!.fix ?? "", /builds its services slowly/)
    assert.strictEqual(of(43_000, 1)[0]!.status, "warn")
    assert.deepStrictEqual(of(5_000, 0), [])
    const waiting = { ...boot(43_000, "launched"), waitsFor: "a node" }
    assert.deepStrictEqual(RunnerChecks.checks([], Documents.document([Documents.pool({ boots: [waiting] })]), now), [])
  })
})
