import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Killed } from "../../../src/error/RunnerExit.ts"
import { Flame, FlameLayer } from "../../../src/index.ts"
import { lossReport } from "../../../src/pool/life/LossReport.ts"
import { MemoryRunners } from "../../../src/testing/index.ts"

const exit = { reason: new Killed({ signal: "SIGKILL" }), gone: true }
const call = (name: string) => ({ fn: { name } })

describe("the report of a lost runner", () => {
  it("names the runner, its pool, its exit and the functions of its calls", () => {
    assert.strictEqual(
      lossReport("pool-1", "app/Pool", exit, [call("resize"), call("resize"), call("index")]),
      "runner pool-1 of pool app/Pool was lost with 3 calls (2 x resize, index): it was killed by SIGKILL"
    )
    assert.match(lossReport("pool-1", "app/Pool", exit, []), /lost with no calls: it was killed/)
  })

  it("counts the functions beyond ten", () => {
    const calls = Array.from({ length: 12 }, (_, index) => call(`f${index}`))
    assert.match(lossReport("pool-1", "app/Pool", exit, calls), /12 calls \(f0, .* f9 and 2 more functions\)/)
  })
})

it.effect("is logged once, as a warning that names runner, exit and calls [C130]", () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") lines.push(String(message))
  })
  const hold = Flame.fn("report/hold", { success: Schema.Int }, () => Effect.never)
  return Effect.gen(function* () {
    const calls = [
      yield* Effect.forkChild(Effect.exit(Flame.call(hold))),
      yield* Effect.forkChild(Effect.exit(Flame.call(hold)))
    ]
    yield* TestClock.adjust(0)
    const { faults, id } = yield* Effect.gen(function* () {
      const faults = yield* MemoryRunners
      return { faults, id: (yield* faults.list)[0]!.id }
    })
    yield* faults.lose()
    yield* Fiber.joinAll(calls)
    yield* TestClock.adjust("1 minute")
    assert.deepStrictEqual(lines, [
      `runner ${id} of pool effect-flame/Pool was lost 0 ms after it was ready, which counts as a failed boot, with 2 calls (2 x report/hold): it was killed by SIGKILL`
    ])
  }).pipe(Effect.provide(FlameLayer.test([hold], { max: 1, concurrency: 2 })), Effect.provide(Logger.layer([logger])))
})
