import { assert, it } from "@effect/vitest"
import { Latencies } from "../../../src/status/record/Latencies.ts"

const minute = 60_000

it("a percentile is at most 9 % off, also that of calls that take hours", () => {
  for (const millis of [1, 1_000, 10 * minute, 61 * minute, 180 * minute, 1_440 * minute]) {
    const latencies = new Latencies(0)
    for (let call = 0; call < 100; call++) latencies.add(millis, 0)
    latencies.add(millis * 1.5, 0)
    const { p50 } = latencies.read(0)!
    assert.isBelow(Math.abs(p50 / millis - 1), 0.095, `${p50} of ${millis}`)
  }
})
