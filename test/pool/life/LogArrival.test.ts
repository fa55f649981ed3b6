import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { LogArrival } from "../../../src/pool/life/LogArrival.ts"
import type { LogLine } from "../../../src/wire/LogLine.ts"

const line = (message: string, level: LogLine["level"] = "Info"): LogLine => ({ level, at: 0, message: [message] })

/** A log that arrives while no time passes, so its budget stays at 1 000 lines. */
const arriving = Effect.gen(function* () {
  const written: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => void written.push(`${logLevel} ${String(message)}`))
  const context = Context.add(yield* Effect.context<never>(), References.CurrentLoggers, new Set([logger]))
  const arrival = new LogArrival("app/Pool", "r1", () => 0)
  const run = (effect: Effect.Effect<void>) => void Effect.runForkWith(context)(effect)
  const take = (lines: ReadonlyArray<LogLine | number>) => {
    for (let from = 0; from < lines.length; from += 100) {
      assert.isUndefined(arrival.take(Buffer.from(JSON.stringify(lines.slice(from, from + 100))), run))
    }
  }
  return { arrival, run, take, written }
})

const dropped = /^Warn (\d+) lines dropped of the log of this runner/

describe("the arriving log of a runner", () => {
  it.effect("reports dropped lines within a second, although no further line arrives [C134]", () =>
    Effect.gen(function* () {
      const { take, written } = yield* arriving
      take(Array.from({ length: 2_000 }, (_, i) => line(`line ${i}`)))
      const before = written.length
      assert.isBelow(before, 1_100)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(written.length, before + 1)
      assert.strictEqual(Number(dropped.exec(written.at(-1)!)?.[1]), 2_000 - before)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(written.length, before + 1)
    })
  )

  it.effect("reports lines that the runner itself has dropped", () =>
    Effect.gen(function* () {
      const { take, written } = yield* arriving
      take([7])
      yield* TestClock.adjust("1 second")
      assert.match(written[0]!, /^Warn 7 lines dropped/)
    })
  )

  it.effect("reports dropped lines at the end of the runner", () =>
    Effect.gen(function* () {
      const { arrival, run, take, written } = yield* arriving
      take([3])
      arrival.end(run)
      assert.match(written[0]!, /^Warn 3 lines dropped/)
      arrival.end(run)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(written.length, 1)
    })
  )

  it.effect("keeps errors, although other lines have used up the budget [C134]", () =>
    Effect.gen(function* () {
      const { take, written } = yield* arriving
      take([...Array.from({ length: 2_000 }, (_, i) => line(`line ${i}`)), line("it broke", "Error")])
      assert.strictEqual(written.at(-1), "Error it broke")
    })
  )
})
