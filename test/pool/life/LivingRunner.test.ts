import { assert, describe, it } from "@effect/vitest"
import type { LifeParts } from "../../../src/pool/life/LivingRunner.ts"
import { LivingRunner } from "../../../src/pool/life/LivingRunner.ts"
import type { PoolEngine } from "../../../src/pool/engine/PoolEngine.ts"
import type { RunnerHandle } from "../../../src/pool/engine/RunnerHandle.ts"

/** A runner with a call, the drains that it gets, and the moment when the pool stops waiting for it. */
const runner = () => {
  const told: Array<number> = []
  const limits = new Set<number>()
  const engine = {
    now: () => 0,
    settings: { cancelGrace: 5_000 },
    timer: {
      after: (millis: number) => {
        limits.add(millis)
        return millis
      },
      cancel: (millis: number) => limits.delete(millis)
    }
  }
  const parts = { pool: "app", publish: () => {} }
  const living = new LivingRunner("r", 0, false, parts as unknown as LifeParts, engine as unknown as PoolEngine)
  living.handle = { inFlight: 1, drain: (budget: number) => told.push(budget) } as unknown as RunnerHandle
  return { living, told, limits }
}

describe("a runner that is told to leave", () => {
  it("gets the time that its backend allows", () => {
    const { limits, living, told } = runner()
    living.endsWithin(7_000)
    assert.deepStrictEqual(told, [])
    living.leave("draining", 30_000)
    assert.deepStrictEqual([told, [...limits]], [[7_000], [13_000]])
  })

  it("is told again if it has less time than it was given, and not if it has more", () => {
    const { limits, living, told } = runner()
    living.leave("close", 30_000)
    living.endsWithin(7_000)
    living.endsWithin(20_000)
    assert.deepStrictEqual([told, [...limits]], [[30_000, 7_000], [13_000]])
  })

  it("without calls is awaited for cancelGrace and a second, whatever its budget [C139]", () => {
    const { limits, living } = runner()
    living.handle = { inFlight: 0, drain: () => {} } as unknown as RunnerHandle
    living.leave("idle", 30_000)
    assert.deepStrictEqual([...limits], [6_000])
  })
})
