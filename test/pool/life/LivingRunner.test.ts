import { assert, describe, it } from "@effect/vitest"
import type { LifeParts } from "../../../src/pool/life/LivingRunner.ts"
import { LivingRunner } from "../../../src/pool/life/LivingRunner.ts"
import type { PoolEngine } from "../../../src/pool/engine/PoolEngine.ts"
import type { RunnerHandle } from "../../../src/pool/engine/RunnerHandle.ts"

/** A runner with a call, what it is told, and when it is no longer waited for. */
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

describe("a runner that is told to go", () => {
  it("gets what its backend leaves of its time", () => {
    const { limits, living, told } = runner()
    living.endsWithin(7_000)
    assert.deepStrictEqual(told, [])
    living.leave("draining", 30_000)
    assert.deepStrictEqual([told, [...limits]], [[7_000], [13_000]])
  })

  it("is told again where there turns out to be less time than it was given, and not where there is more", () => {
    const { limits, living, told } = runner()
    living.leave("close", 30_000)
    living.endsWithin(7_000)
    living.endsWithin(20_000)
    assert.deepStrictEqual([told, [...limits]], [[30_000, 7_000], [13_000]])
  })

  it("is not waited for longer than cancelGrace and a second when it has no calls, whatever its budget [C139]", () => {
    const { limits, living } = runner()
    living.handle = { inFlight: 0, drain: () => {} } as unknown as RunnerHandle
    living.leave("idle", 30_000)
    assert.deepStrictEqual([...limits], [6_000])
  })
})
